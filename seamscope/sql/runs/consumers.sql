-- Traces whose messages were sent from some traces, up to $most for each, however many links they have.
WITH tied AS (
    SELECT DISTINCT
        linked_trace_hi,
        linked_trace_lo,
        trace_hi,
        trace_lo
    FROM base.span_links AS l
    SEMI JOIN wanted ON wanted.trace_hi = l.linked_trace_hi AND wanted.trace_lo = l.linked_trace_lo
    WHERE kind = 5
)

SELECT DISTINCT
    trace_hi,
    trace_lo
FROM tied
QUALIFY row_number() OVER (PARTITION BY linked_trace_hi, linked_trace_lo ORDER BY trace_hi, trace_lo) <= $most;
