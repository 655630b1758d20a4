-- The latest group commit.
SELECT coalesce(max(commit_no), 0) AS last_commit
FROM base.span_rows;
