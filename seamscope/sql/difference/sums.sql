-- Time by route, owner and cause of a set of requests, dealt out over $blocks blocks (to resample from), and how many
-- requests each block has of a route (owner and cause null).
WITH picked AS MATERIALIZED (
    SELECT
        r.request_no,
        r.{horizon}_ns AS ns,
        coalesce(r.route, '') AS route,
        (row_number() OVER (ORDER BY r.request_no) % $blocks)::INTEGER AS block
    FROM base.requests r
    WHERE r.kind <> $other AND r.{horizon}_ns IS NOT NULL AND {where}
)

SELECT block, route, NULL AS owner, NULL::UTINYINT AS cause, count(*) AS requests, least(sum(ns), 9223372036854775807)::BIGINT AS ns
FROM picked
GROUP BY block, route
UNION ALL
SELECT p.block, p.route, o.owner, s.cause, 0, least(sum(s.end_ns - s.start_ns), 9223372036854775807)::BIGINT
FROM picked p
JOIN base.horizon_segments s USING (request_no)
JOIN base.owners o USING (owner_no)
WHERE s.horizon = $horizon
GROUP BY p.block, p.route, o.owner, s.cause;
