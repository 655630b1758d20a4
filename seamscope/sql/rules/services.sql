-- Services that sent spans and the tiers they were found in, those of no known tier first.
SELECT service, list(tier ORDER BY tier) AS tiers
FROM (SELECT DISTINCT service, tier FROM main.resources WHERE service IS NOT NULL AND service <> '')
GROUP BY service
ORDER BY NOT list_contains(tiers, 'unknown'), service
LIMIT $most
