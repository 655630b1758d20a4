-- Traces with spans or log records up to commit $upto, and whether some of their spans came later: then all of it stays.
WITH old AS (
    SELECT
        trace_hi,
        trace_lo
    FROM base.span_rows
    WHERE commit_no <= $upto
    UNION
    SELECT
        trace_hi,
        trace_lo
    FROM base.logs
    WHERE commit_no <= $upto AND (trace_hi <> 0 OR trace_lo <> 0)
),

young AS (
    SELECT DISTINCT
        trace_hi,
        trace_lo
    FROM base.span_rows
    SEMI JOIN old USING (trace_hi, trace_lo)
    WHERE commit_no > $upto
)

SELECT
    old.trace_hi,
    old.trace_lo,
    young.trace_hi IS NOT NULL AS stays
FROM old
LEFT JOIN young USING (trace_hi, trace_lo);
