-- The traces that those requests are spread over.
SELECT t.request_no, hash(t.trace_hi, t.trace_lo) AS trace_id
FROM base.request_traces t
JOIN base.requests r USING (request_no)
WHERE {chosen}
