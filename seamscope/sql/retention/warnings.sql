-- What was said of traces that are gone, as traces.
DELETE FROM base.warnings AS w USING gone_traces AS g
WHERE w.request_no IS NULL AND w.trace_hi = g.trace_hi AND w.trace_lo = g.trace_lo;
