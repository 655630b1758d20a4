-- Spans of the traces of the chosen requests.
WITH wanted AS MATERIALIZED (
    SELECT DISTINCT t.trace_hi, t.trace_lo FROM base.request_traces t JOIN base.requests r USING (request_no)
    WHERE {chosen}
),
found AS (
    SELECT s.* FROM base.span_rows s SEMI JOIN wanted USING (trace_hi, trace_lo)
)
SELECT
    hash(s.trace_hi, s.trace_lo) AS trace_id,
    s.span_id,
    nullif(s.parent_id, 0) AS parent_span_id,
    s.kind,
    base.role_word(s.role) AS role,
    s.start_ns,
    s.end_ns,
    s.resource_id,
    z.service,
    s.scope,
    s.operation,
    s.method,
    n.url_full,
    s.url_path,
    d.db_system,
    s.correlation_id,
    f.cache_status,
    f.cache_reason,
    f.essential,
    f.cold_start,
    base.attribute(
        s.attribute_keys, s.attribute_texts, s.correlation_id, s.platform_id, s.url_path, 'seamscope.cache.scope'
    ) AS cache_scope,
    base.attribute(
        s.attribute_keys, s.attribute_texts, s.correlation_id, s.platform_id, s.url_path, 'http.response.header.cache-control'
    ) AS cache_control,
    base.attribute(
        s.attribute_keys, s.attribute_texts, s.correlation_id, s.platform_id, s.url_path, 'seamscope.flag.outcome'
    ) AS flag_outcome
FROM found s
JOIN base.resources z USING (resource_id)
LEFT JOIN base.span_network n USING (span_no)
LEFT JOIN base.span_database d USING (span_no)
LEFT JOIN base.span_details f USING (span_no)
