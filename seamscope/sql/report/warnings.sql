-- Warnings of a selection's requests by code.
SELECT w.code, count(*) AS warnings
FROM base.warnings w
WHERE w.request_no IN (SELECT r.request_no FROM base.requests r WHERE {where})
GROUP BY w.code
ORDER BY warnings DESC, w.code
