-- What the desk reads of the spans of some traces.
SELECT {columns}
FROM base.spans
SEMI JOIN (
    SELECT
        unnest($trace_hi::UBIGINT[]) AS trace_hi,
        unnest($trace_lo::UBIGINT[]) AS trace_lo
) AS wanted USING (trace_hi, trace_lo)
WHERE commit_no >= $first_commit AND commit_no <= $upto;
