-- Every tier pair a request crosses; a request is in as many groups as it crosses boundaries.
SELECT DISTINCT h.request_no, base.boundary(o.seam) AS key
FROM picked p
JOIN base.hops h USING (request_no)
JOIN base.owners o ON o.owner_no = h.seam_no
WHERE NOT coalesce(h."async", false)
