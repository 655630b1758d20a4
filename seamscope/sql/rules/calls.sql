-- Hosts that page and API requests called while somebody waited, the most called first: who may be nonessential.
SELECT h.peer AS host, count(DISTINCT h.request_no) AS requests
FROM base.hops h
JOIN base.requests r USING (request_no)
WHERE NOT coalesce(h."async", false) AND h.peer IS NOT NULL AND h.peer <> '' AND list_contains($kinds, r.kind)
GROUP BY h.peer
ORDER BY requests DESC, host
LIMIT $most
