-- The requests that findings are drawn from: the latest ones, whatever order they came in.
SELECT request_no, {columns}
FROM requests
JOIN (
    SELECT request_no, base.request_text(trace_hi, trace_lo, entry_span_id) AS request_id FROM base.requests
) USING (request_id)
ORDER BY start_ns DESC, request_id
LIMIT $most
