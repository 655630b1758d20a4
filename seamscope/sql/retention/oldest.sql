-- The commit with which the oldest $spans spans after commit $after end, at most $upto; 0 where there is none.
WITH commits AS (
    SELECT
        commit_no,
        sum(count(*)) OVER (ORDER BY commit_no) AS spans_so_far
    FROM base.span_rows
    WHERE commit_no > $after AND commit_no <= $upto
    GROUP BY commit_no
)

SELECT coalesce(max(commit_no) FILTER (WHERE spans_so_far <= $spans), min(commit_no), 0) AS upto
FROM commits;
