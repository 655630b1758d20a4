-- Some traces as they are stored up to commit $upto.
SELECT
    trace_hi,
    trace_lo,
    min(start_ns) AS start_ns,
    min(commit_no) AS first_commit,
    max(commit_no) AS last_commit,
    max(ingested_ns) AS last_ns,
    count(*) AS spans
FROM base.span_rows
SEMI JOIN wanted USING (trace_hi, trace_lo)
WHERE commit_no <= $upto
GROUP BY trace_hi, trace_lo;
