-- Traces with calls to some hosts that were analysed without a server span.
SELECT DISTINCT
    h.trace_hi,
    h.trace_lo
FROM base.hops AS h
WHERE
    h.request_no IN (SELECT l.request_no FROM base.request_lists AS l WHERE list_has_any(l.peer, $peers::VARCHAR[]))
    AND h.server_span_id = 0
    AND list_contains($peers::VARCHAR[], h.peer);
