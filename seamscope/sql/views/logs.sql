-- A row per log record; trace_id and span_id are null where it belongs to no span.
CREATE OR REPLACE VIEW main.logs AS
SELECT
    CASE WHEN l.trace_hi > 0 OR l.trace_lo > 0 THEN base.trace_text(l.trace_hi, l.trace_lo) END AS trace_id,
    base.span_text(l.span_id) AS span_id,
    l.time_ns,
    make_timestamp_ns(l.time_ns) AS time_at,
    l.severity,
    l.severity_text,
    l.body,
    z.service,
    l.attributes,
    l.correlation_id,
    l.platform_id,
    l.event_name,
    l.observed_ns,
    z.service_version,
    z.environment,
    z.instance,
    z.place,
    base.span_text(l.resource_id) AS resource_id,
    l.scope,
    make_timestamp_ns(l.ingested_ns) AS ingested_at,
    l.ingested_ns
FROM base.logs l
LEFT JOIN base.resources z USING (resource_id);
