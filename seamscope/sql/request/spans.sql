-- Every span of one request's traces, in time order; what the waterfall draws. A span sent twice counts once.
SELECT s.trace_hi, s.trace_lo, s.span_id, s.parent_id, s.kind, s.start_ns, s.end_ns, s.status, s.name,
    coalesce(z.rule_tier, nullif(s.tier_hint, 0), z.tier, 0) AS tier, z.service
FROM base.shaped_spans s
LEFT JOIN base.resources z USING (resource_id)
JOIN base.request_traces t ON t.trace_hi = s.trace_hi AND t.trace_lo = s.trace_lo
WHERE t.request_no = $request_no
QUALIFY row_number() OVER (
    PARTITION BY s.trace_hi, s.trace_lo, s.span_id, s.kind
    ORDER BY len(string_split(s.attribute_keys, chr(31))) DESC NULLS LAST, s.end_ns DESC, s.commit_no
) = 1
ORDER BY s.start_ns, s.end_ns DESC, s.span_id
