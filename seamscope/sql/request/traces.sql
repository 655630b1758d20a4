-- The traces that one request is spread over, its own first.
SELECT t.trace_hi, t.trace_lo, t.joined_by
FROM base.request_traces t
JOIN base.requests r USING (request_no)
WHERE t.request_no = $request_no
ORDER BY (t.trace_hi = r.trace_hi AND t.trace_lo = r.trace_lo) DESC, t.trace_hi, t.trace_lo
