-- What is odd about one request.
SELECT trace_hi, trace_lo, span_id, code, detail
FROM base.warnings
WHERE request_no = $request_no
ORDER BY trace_hi, trace_lo, span_id, code, detail
