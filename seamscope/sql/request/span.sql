-- One span with its resource; client and server may share an id, the fullest row is taken.
SELECT s.trace_hi, s.trace_lo, s.span_id, s.parent_id, s.kind, s.start_ns, s.end_ns, s.status, s.status_message,
    s.name, s.scope, s.attributes, coalesce(z.rule_tier, nullif(s.tier_hint, 0), z.tier, 0) AS tier, z.service,
    z.attributes AS resource
FROM base.spans s
LEFT JOIN base.resources z USING (resource_id)
WHERE s.trace_hi = $trace_hi::UBIGINT AND s.trace_lo = $trace_lo::UBIGINT AND s.span_id = $span_id::UBIGINT
    AND ($kind IS NULL OR s.kind = $kind)
ORDER BY len(s.attributes) DESC, s.kind, s.commit_no
LIMIT 1
