-- Traces that got spans in commits after $seen: when and where their spans begin, and when the last came.
SELECT
    trace_hi,
    trace_lo,
    min(start_ns) AS start_ns,
    min(commit_no) AS first_commit,
    max(commit_no) AS last_commit,
    max(ingested_ns) AS last_ns,
    count(*) AS spans
FROM base.span_rows
WHERE commit_no > $seen AND commit_no <= $upto
GROUP BY trace_hi, trace_lo;
