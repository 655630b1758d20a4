-- The links of one span.
SELECT DISTINCT linked_trace_hi, linked_trace_lo, linked_span_id
FROM base.span_links
WHERE trace_hi = $trace_hi::UBIGINT AND trace_lo = $trace_lo::UBIGINT AND span_id = $span_id::UBIGINT AND kind = $kind
ORDER BY linked_trace_hi, linked_trace_lo, linked_span_id
