-- Every tier pair a request crosses; a request is in as many groups as it crosses boundaries.
SELECT DISTINCT h.request_no,
    split_part(o.seam, ':', 1) || '→' || regexp_extract(o.seam, '.*→([a-z]+):', 1) AS key
FROM picked p
JOIN base.hops h USING (request_no)
JOIN base.owners o ON o.owner_no = h.seam_no
WHERE NOT coalesce(h."async", false)
