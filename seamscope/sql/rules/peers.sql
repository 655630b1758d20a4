-- Hosts that were called and sent no span of that call, the most called first, with what each was taken for.
SELECT h.peer AS host, mode(o.seam) AS seam, count(*) AS calls
FROM base.hops h
LEFT JOIN base.owners o ON o.owner_no = h.seam_no
WHERE h.server_span_id = 0 AND h.peer IS NOT NULL AND h.peer <> ''
GROUP BY h.peer
ORDER BY calls DESC, host
LIMIT $most
