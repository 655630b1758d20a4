-- How long each span of the chosen requests is on the path for one cause.
SELECT request_no, span_id, sum(end_ns - start_ns)::BIGINT AS ns
FROM (
    SELECT DISTINCT s.request_no, s.span_id, s.start_ns, s.end_ns
    FROM base.horizon_segments s
    JOIN base.requests r USING (request_no)
    WHERE {chosen} AND s.span_id > 0 AND base.cause_word(s.cause) = $cause
)
GROUP BY ALL
ORDER BY ALL
