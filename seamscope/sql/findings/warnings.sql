-- Spans about which the analysis warned of clocks.
SELECT w.request_no, hash(w.trace_hi, w.trace_lo) AS trace_id, w.span_id, base.warning_word(w.code) AS code
FROM base.warnings w
JOIN base.requests r USING (request_no)
WHERE {chosen} AND base.warning_word(w.code) = 'clock_interval_empty'
