-- Client spans of the calls that some requests made.
SELECT h.trace_hi, h.trace_lo, h.client_span_id
FROM base.hops h
WHERE h.request_no IN ({numbers})
