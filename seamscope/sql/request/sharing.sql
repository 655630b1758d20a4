-- Other requests that have spans in the traces of one request.
SELECT DISTINCT o.request_no
FROM base.request_traces o
JOIN base.request_traces t ON t.trace_hi = o.trace_hi AND t.trace_lo = o.trace_lo
WHERE t.request_no = $request_no AND o.request_no <> $request_no
ORDER BY o.request_no
