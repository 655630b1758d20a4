-- Data points of some services around a moment, those nearest to it.
SELECT m.instrument, m.subject, m.measure, m.pool, m.state, m.peer, m.cumulative, m.started_ns, m.time_ns,
    m."value", m."count", m."sum", z.service, z.instance
FROM base.metric_points m
JOIN base.resources z USING (resource_id)
WHERE m.time_ns BETWEEN $since_ns AND $until_ns AND list_contains($services::VARCHAR[], z.service)
ORDER BY abs(m.time_ns - $at_ns), m.instrument, m.pool, m.state
LIMIT $most
