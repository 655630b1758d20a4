-- What one request should be acted on for, costliest first.
SELECT
    f.finding_id,
    base.finding_word(f.rule) AS rule,
    f.route,
    f.seam,
    q.cost_ns,
    f.requests,
    f.confidence,
    f.message,
    f.next_step,
    list_transform(q.span_ids, lambda id: base.span_text(id)) AS span_ids
FROM base.finding_requests q
JOIN base.findings f USING (finding_id)
WHERE q.request_no = $request_no
ORDER BY q.cost_ns DESC, f.finding_id
