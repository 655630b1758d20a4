-- Requests that some traces are part of, each with all its traces, and whether a trace has spans after commit $upto.
WITH theirs AS (
    SELECT
        request_no,
        trace_hi,
        trace_lo
    FROM base.request_traces
    WHERE request_no IN (SELECT request_no FROM base.request_traces SEMI JOIN wanted USING (trace_hi, trace_lo))
),

young AS (
    SELECT DISTINCT
        trace_hi,
        trace_lo
    FROM base.span_rows
    SEMI JOIN theirs USING (trace_hi, trace_lo)
    WHERE commit_no > $upto
)

SELECT
    theirs.request_no,
    theirs.trace_hi,
    theirs.trace_lo,
    young.trace_hi IS NOT NULL AS stays
FROM theirs
LEFT JOIN young USING (trace_hi, trace_lo);
