-- The last commit that is expired: neither it nor any before it came at $since_ns or later, so that a clock that was
-- set back for a while lets nothing go early.
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
)

SELECT coalesce(
    (SELECT min(commit_no) - 1 FROM came WHERE ingested_ns >= $since_ns),
    (SELECT max(commit_no) FROM came),
    0
) AS upto;
