-- A row per data point of a connection pool, a server's queue or a runtime; durations in nanoseconds.
CREATE OR REPLACE VIEW main.metric_points AS
SELECT
    m.time_ns,
    make_timestamp_ns(m.time_ns) AS time_at,
    m.instrument,
    m.subject,
    m.measure,
    z.service,
    z.instance,
    z.environment,
    m.pool,
    m.state,
    m.peer,
    m.peer_port,
    m."value",
    m."count",
    m."sum",
    m."min",
    m."max",
    m.cumulative,
    m.started_ns,
    base.span_text(m.resource_id) AS resource_id,
    m.scope,
    m.attributes,
    make_timestamp_ns(m.ingested_ns) AS ingested_at
FROM base.metric_points m
LEFT JOIN base.resources z USING (resource_id);
