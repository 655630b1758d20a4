-- Traces with spans up to commit $upto, and whether some of their spans came later: then all of it stays.
WITH old AS (
    SELECT DISTINCT
        trace_hi,
        trace_lo
    FROM base.span_rows
    WHERE commit_no <= $upto
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
