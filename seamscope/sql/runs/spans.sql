-- What the desk reads of the spans of some traces.
SELECT {columns}
FROM base.span_rows
SEMI JOIN wanted USING (trace_hi, trace_lo)
WHERE commit_no >= $first_commit AND commit_no <= $last_commit;
