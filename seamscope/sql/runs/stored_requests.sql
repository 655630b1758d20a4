-- Requests of some traces as they were analysed before.
SELECT
    request_no,
    trace_hi,
    trace_lo,
    revision
FROM base.requests
SEMI JOIN wanted USING (trace_hi, trace_lo);
