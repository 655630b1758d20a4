-- Between which numbers the spans of the chosen requests' traces lie: what is read of them then is read there only. And
-- whether any span tells by its attributes what has no column (`said`): to ask each of them takes much longer.
WITH wanted AS MATERIALIZED (
    SELECT DISTINCT t.trace_hi, t.trace_lo FROM base.request_traces t JOIN base.requests r USING (request_no)
    WHERE {chosen}
)

SELECT
    min(s.span_no) AS first_span,
    max(s.span_no) AS last_span,
    EXISTS (
        SELECT 1 FROM base.span_shapes
        WHERE
            contains(attribute_keys, 'seamscope.cache.scope')
            OR contains(attribute_keys, 'http.response.header.cache-control')
            OR contains(attribute_keys, 'seamscope.flag.outcome')
    ) AS any_said
FROM base.span_rows s
SEMI JOIN wanted USING (trace_hi, trace_lo)
