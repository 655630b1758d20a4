-- The requests of one finding that are in a selection, costliest first.
SELECT
    base.request_text(r.trace_hi, r.trace_lo, r.entry_span_id) AS request_id,
    r.route,
    r.start_ns,
    r.shell_ns,
    r.complete_ns,
    q.cost_ns,
    list_transform(q.span_ids, lambda id: base.span_text(id)) AS span_ids
FROM base.finding_requests q
JOIN base.requests r USING (request_no)
WHERE ({where}) AND q.finding_id = $finding_id
ORDER BY q.cost_ns DESC, r.start_ns, request_id
LIMIT $limit
