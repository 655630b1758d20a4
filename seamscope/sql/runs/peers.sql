-- Hosts that answered some calls with server spans, as which service, and a trace that shows it. A call is named after its
-- client span or one inside it.
SELECT
    h.peer,
    coalesce(s.peer_port, 0) AS port,
    r.tier,
    r.service,
    max(h.trace_hi) AS trace_hi,
    arg_max(h.trace_lo, h.trace_hi) AS trace_lo
FROM ({calls}) AS h
JOIN base.shaped_spans AS s
    ON s.trace_hi = h.trace_hi AND s.trace_lo = h.trace_lo AND s.peer = h.peer
JOIN base.owners AS o ON o.owner_no = h.seam_no
JOIN base.owners AS r ON r.owner = split_part(o.seam, '→', 2)
WHERE s.span_id = h.client_span_id OR s.parent_id = h.client_span_id
GROUP BY ALL;
