-- Entry spans of every request in the traces of one request.
SELECT r.trace_hi, r.trace_lo, r.entry_span_id
FROM base.requests r
WHERE (r.trace_hi, r.trace_lo) IN (
    SELECT (t.trace_hi, t.trace_lo) FROM base.request_traces t WHERE t.request_no = $request_no
)
