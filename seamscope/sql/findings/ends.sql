-- Where the path of each known horizon ends: the last span on it, and when.
SELECT
    s.request_no,
    base.horizon_word(s.horizon) AS horizon,
    arg_max(s.span_id, s.end_ns) AS span_id,
    max(r.start_ns + s.end_ns) AS at_ns,
    any_value(CASE s.horizon WHEN 0 THEN r.shell_ns ELSE r.complete_ns END) AS horizon_ns
FROM base.horizon_segments s
JOIN base.requests r USING (request_no)
WHERE {chosen} AND s.span_id > 0
GROUP BY s.request_no, s.horizon
