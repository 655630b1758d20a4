-- Analysed traces that messages of some traces were sent from: they gain work that they caused.
SELECT DISTINCT
    l.linked_trace_hi AS trace_hi,
    l.linked_trace_lo AS trace_lo
FROM base.span_links AS l
SEMI JOIN wanted USING (trace_hi, trace_lo)
SEMI JOIN base.request_traces AS r ON r.trace_hi = l.linked_trace_hi AND r.trace_lo = l.linked_trace_lo
WHERE l.kind = 5;
