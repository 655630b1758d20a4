-- Those of some traces that are part of a stored request.
SELECT DISTINCT
    trace_hi,
    trace_lo
FROM base.request_traces
SEMI JOIN wanted USING (trace_hi, trace_lo);
