-- Traces with spans that start in a stretch of time.
SELECT DISTINCT
    trace_hi,
    trace_lo
FROM base.span_rows
WHERE start_ns >= $since AND start_ns < $until AND commit_no <= $upto;
