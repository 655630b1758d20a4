-- The latest calls that a server span answered.
SELECT *
FROM base.hops
WHERE server_span_id <> 0
ORDER BY request_no DESC
LIMIT 200000
