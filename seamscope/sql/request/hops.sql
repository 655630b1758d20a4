-- The hops of one request in time order.
SELECT h.*, o.seam
FROM base.hops h
JOIN base.owners o ON o.owner_no = h.seam_no
WHERE h.request_no = $request_no
ORDER BY h.start_ns, h.client_span_id
