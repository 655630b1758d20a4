-- Every span of the traces that hold one span, with its parent: what a walk up to an entry needs.
SELECT s.trace_hi, s.trace_lo, s.span_id, s.parent_id
FROM base.span_rows s
WHERE (s.trace_hi, s.trace_lo) IN (
    SELECT (x.trace_hi, x.trace_lo) FROM base.span_rows x WHERE x.span_id = $span_id::UBIGINT
)
