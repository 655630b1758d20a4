-- What a table beside the spans keeps of some of them.
SELECT {columns}
FROM base.{table}
SEMI JOIN wanted USING (span_no)
WHERE span_no >= $first_no AND span_no <= $last_no;
