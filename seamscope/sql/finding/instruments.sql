-- How many a service's pools or queues said were waiting, over a time: per instrument and pool the most, over all
-- processes.
SELECT
    m.instrument,
    m.pool,
    m.peer,
    count(*) AS samples,
    count(*) FILTER (WHERE m."value" > 0) AS above,
    max(m."value") AS most_waiting,
    arg_max(m.time_ns, m."value") AS at_ns
FROM base.metric_points m
JOIN base.resources z USING (resource_id)
WHERE m.time_ns BETWEEN $since_ns AND $until_ns AND z.service = $service AND m.subject = $subject
    AND m.measure = 'waiting' AND m."value" IS NOT NULL
GROUP BY m.instrument, m.pool, m.peer
ORDER BY most_waiting DESC, m.instrument, m.pool, m.peer
LIMIT 3
