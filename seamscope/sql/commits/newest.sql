-- How many rows of {table} each commit brought since the last one that came over $back nanoseconds before the newest, the
-- newest first. By their order, for a clock may have been ahead for a while.
WITH newest AS (
    SELECT arg_max(ingested_ns, commit_no) AS ingested_ns
    FROM base.{table}
)

SELECT
    commit_no,
    count(*) AS "rows"
FROM base.{table}
WHERE commit_no > coalesce((
    SELECT max(t.commit_no) FROM base.{table} AS t, newest AS n
    WHERE t.ingested_ns < greatest(n.ingested_ns, $back) - $back
), 0)
GROUP BY commit_no
ORDER BY commit_no DESC;
