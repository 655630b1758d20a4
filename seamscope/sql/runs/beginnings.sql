-- How many spans the traces have that begin in each bucket of time.
SELECT
    start_ns // $bucket_ns AS bucket,
    sum(spans)::BIGINT AS spans
FROM (
    SELECT
        min(start_ns) AS start_ns,
        count(*) AS spans
    FROM base.span_rows
    WHERE commit_no <= $upto
    GROUP BY trace_hi, trace_lo
) AS begun
GROUP BY bucket;
