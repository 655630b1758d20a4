-- Spans of the traces of the chosen requests.
WITH wanted AS MATERIALIZED (
    SELECT DISTINCT t.trace_hi, t.trace_lo FROM base.request_traces t JOIN base.requests r USING (request_no)
    WHERE {chosen}
),
found AS (
    SELECT s.* FROM base.shaped_spans s SEMI JOIN wanted USING (trace_hi, trace_lo)
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
    t.url_full,
    s.url_path,
    s.db_system,
    s.correlation_id,
    s.cache_status,
    s.cache_reason,
    s.essential,
    s.cold_start,
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
LEFT JOIN base.span_texts t USING (span_no)
