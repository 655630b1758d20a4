-- How many spans, log records and data points are stored.
SELECT
    (SELECT count(*) FROM base.span_rows)
    + (SELECT count(*) FROM base.logs)
    + (SELECT count(*) FROM base.metric_points) AS "rows";
