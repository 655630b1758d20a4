-- Hosts that answered calls with server spans, as which service, and a trace that shows it: from the latest hops.
SELECT
    s.peer,
    coalesce(s.peer_port, 0) AS port,
    r.tier,
    r.service,
    max(h.trace_hi) AS trace_hi,
    arg_max(h.trace_lo, h.trace_hi) AS trace_lo
FROM (
    SELECT *
    FROM base.hops
    WHERE server_span_id <> 0
    ORDER BY request_no DESC
    LIMIT 200000
) AS h
JOIN base.shaped_spans AS s
    ON s.trace_hi = h.trace_hi AND s.trace_lo = h.trace_lo AND s.span_id = h.client_span_id
JOIN base.owners AS o ON o.owner_no = h.seam_no
JOIN base.owners AS r ON r.owner = split_part(o.seam, '→', 2)
WHERE s.peer IS NOT NULL
GROUP BY ALL;
