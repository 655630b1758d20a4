-- The last commit that is expired: neither it nor any before it came from $since_ns to $now_ns. A clock that was set back
-- for a while lets nothing go early, and what came while it was ahead goes with what came after it.
WITH came AS (
    SELECT
        commit_no,
        ingested_ns
    FROM base.span_rows
    UNION ALL
    SELECT
        commit_no,
        ingested_ns
    FROM base.logs
    UNION ALL
    SELECT
        commit_no,
        ingested_ns
    FROM base.metric_points
),

bounds AS (
    SELECT min(commit_no) AS first_kept
    FROM came
    WHERE ingested_ns BETWEEN $since_ns AND $now_ns
)

SELECT coalesce(max(commit_no), 0) AS upto
FROM came, bounds
WHERE ingested_ns < $since_ns AND (first_kept IS NULL OR commit_no < first_kept);
