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
SELECT b.block, b.route, o.owner, k.cause, 0, least(sum(b.ns), 9223372036854775807)::BIGINT
FROM (
    SELECT block, route, kind_no, sum(end_ns - start_ns) AS ns
    FROM (
        SELECT p.block, p.route, unnest(l.segment_kind) AS kind_no, unnest(l.at_ns) AS start_ns,
            unnest(l.at_ns[2:]) AS end_ns
        FROM picked p JOIN base.request_lists l USING (request_no)
    )
    GROUP BY block, route, kind_no
) b
JOIN base.segment_kinds k USING (kind_no)
JOIN base.owners o USING (owner_no)
WHERE k.horizon = $horizon
GROUP BY b.block, b.route, o.owner, k.cause;
