-- Traces whose messages were sent from some traces, up to $most for each.
SELECT DISTINCT
    trace_hi,
    trace_lo
FROM base.span_links
SEMI JOIN (
    SELECT
        unnest($trace_hi::UBIGINT[]) AS linked_trace_hi,
        unnest($trace_lo::UBIGINT[]) AS linked_trace_lo
) AS wanted USING (linked_trace_hi, linked_trace_lo)
WHERE kind = 5
QUALIFY row_number() OVER (PARTITION BY linked_trace_hi, linked_trace_lo ORDER BY commit_no, trace_hi, trace_lo) <= $most;
