-- Traces that are part of one stored request with some others.
SELECT DISTINCT
    partners.trace_hi,
    partners.trace_lo
FROM base.request_traces AS partners
SEMI JOIN (
    SELECT theirs.request_no
    FROM base.request_traces AS theirs
    SEMI JOIN wanted USING (trace_hi, trace_lo)
) AS requests USING (request_no)
ANTI JOIN wanted USING (trace_hi, trace_lo);
