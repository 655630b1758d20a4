-- Stretches of the path that a rule asks for: of some causes, or of the edge itself.
SELECT DISTINCT
    s.request_no,
    s.start_ns,
    s.end_ns,
    s.span_id,
    o.owner,
    base.cause_word(s.cause) AS cause
FROM base.horizon_segments s
JOIN base.requests r USING (request_no)
JOIN base.owners o USING (owner_no)
WHERE {chosen}
    AND (base.cause_word(s.cause) IN ('unobserved', 'cold_start', 'retry') OR starts_with(o.owner, 'edge:'))
