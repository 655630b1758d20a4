-- Requests that some traces were part of as they were analysed before, by trace.
SELECT
    r.request_no,
    t.trace_hi,
    t.trace_lo,
    r.entry_span_id,
    r.revision
FROM base.request_traces AS t
SEMI JOIN wanted USING (trace_hi, trace_lo)
JOIN base.requests AS r USING (request_no);
