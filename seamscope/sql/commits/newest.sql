-- How many rows of {table} each commit of the last $back nanoseconds before the newest brought, the newest first.
SELECT
    commit_no,
    count(*) AS "rows"
FROM base.{table}
WHERE ingested_ns >= (SELECT greatest(max(ingested_ns), $back) - $back FROM base.{table})
GROUP BY commit_no
ORDER BY commit_no DESC;
