-- Between which numbers the spans of the chosen requests' traces lie: what is read of them then is read there only.
WITH wanted AS MATERIALIZED (
    SELECT DISTINCT t.trace_hi, t.trace_lo FROM base.request_traces t JOIN base.requests r USING (request_no)
    WHERE {chosen}
)

SELECT min(s.span_no) AS first_span, max(s.span_no) AS last_span
FROM base.span_rows s
SEMI JOIN wanted USING (trace_hi, trace_lo)
