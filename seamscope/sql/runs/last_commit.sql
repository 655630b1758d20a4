-- The latest group commit, when it came, and how many spans are stored.
SELECT
    coalesce(max(commit_no), 0) AS last_commit,
    coalesce(max(ingested_ns), 0) AS last_ns,
    count(*) AS spans
FROM base.span_rows;
