-- Spans of the traces of the chosen requests, which lie between two numbers.
WITH wanted AS MATERIALIZED (
    SELECT DISTINCT t.trace_hi, t.trace_lo FROM base.request_traces t JOIN base.requests r USING (request_no)
    WHERE {chosen}
)

SELECT
    s.span_no,
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
    s.url_path,
    s.db_system,
    s.correlation_id,
    s.cache_status,
    s.cache_reason,
    s.essential,
    s.cold_start
FROM base.shaped_spans s
SEMI JOIN wanted USING (trace_hi, trace_lo)
JOIN base.resources z USING (resource_id)
WHERE s.span_no BETWEEN $first_span AND $last_span
