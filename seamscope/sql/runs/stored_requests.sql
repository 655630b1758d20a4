-- Requests of some traces as they were analysed before.
SELECT
    request_no,
    trace_hi,
    trace_lo,
    revision
FROM base.requests
SEMI JOIN (
    SELECT
        unnest($trace_hi::UBIGINT[]) AS trace_hi,
        unnest($trace_lo::UBIGINT[]) AS trace_lo
) AS wanted USING (trace_hi, trace_lo);
