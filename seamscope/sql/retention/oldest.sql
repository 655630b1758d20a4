-- The commit with which the oldest $rows rows of any signal after commit $after end, at most $upto (0 where there is
-- none), and how many of those rows are no spans.
WITH came AS (
    SELECT
        commit_no,
        count(*) AS "rows",
        0 AS of_no_span
    FROM base.span_rows
    WHERE commit_no > $after AND commit_no <= $upto
    GROUP BY commit_no
    UNION ALL
    SELECT
        commit_no,
        count(*) AS "rows",
        count(*) AS of_no_span
    FROM (SELECT commit_no FROM base.logs UNION ALL SELECT commit_no FROM base.metric_points)
    WHERE commit_no > $after AND commit_no <= $upto
    GROUP BY commit_no
),

commits AS (
    SELECT
        commit_no,
        sum(of_no_span) AS of_no_span,
        sum(sum("rows")) OVER (ORDER BY commit_no) AS rows_so_far
    FROM came
    GROUP BY commit_no
),

ends AS (
    SELECT coalesce(max(commit_no) FILTER (WHERE rows_so_far <= $rows), min(commit_no), 0) AS upto
    FROM commits
)

SELECT
    ends.upto,
    (SELECT coalesce(sum(of_no_span), 0) FROM commits WHERE commit_no <= ends.upto) AS of_no_span
FROM ends;
