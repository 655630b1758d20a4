-- Every seam a request crosses; a request is in as many groups as it crosses seams.
SELECT DISTINCT h.request_no, o.seam AS key
FROM picked p
JOIN base.hops h USING (request_no)
JOIN base.owners o ON o.owner_no = h.seam_no
WHERE NOT coalesce(h."async", false)
