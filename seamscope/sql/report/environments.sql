-- Environments of the stored requests, the busiest first.
SELECT environment, count(*) AS requests
FROM base.requests
WHERE environment IS NOT NULL
GROUP BY environment
ORDER BY requests DESC, environment
