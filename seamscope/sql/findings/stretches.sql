-- How long each span of the chosen requests is on each horizon's path for one cause.
SELECT s.request_no, base.horizon_word(s.horizon) AS horizon, s.span_id, sum(s.end_ns - s.start_ns)::BIGINT AS ns
FROM base.horizon_segments s
JOIN base.requests r USING (request_no)
WHERE {chosen} AND s.span_id > 0 AND base.cause_word(s.cause) = $cause
GROUP BY ALL
ORDER BY ALL
