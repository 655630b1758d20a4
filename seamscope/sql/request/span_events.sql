-- The events of one span in time order.
SELECT DISTINCT at_ns, name, attributes
FROM base.span_events
WHERE trace_hi = $trace_hi::UBIGINT AND trace_lo = $trace_lo::UBIGINT AND span_id = $span_id::UBIGINT AND kind = $kind
ORDER BY at_ns, name
