-- Work that one request caused and did not wait for.
SELECT trace_hi, trace_lo, span_id, queue_wait_ns, link
FROM base.async_work
WHERE request_no = $request_no
ORDER BY trace_hi, trace_lo, span_id
