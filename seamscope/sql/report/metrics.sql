-- What the boundary metrics are made of: per metric, label and group the number of values, their sum and percentiles.
-- {where} picks requests, {keys} gives (request_no, key). A span of a trace of several requests counts to the
-- one that began last before it, picked or not (as in the view `errors`).
WITH picked AS MATERIALIZED (
    SELECT r.request_no, r.trace_hi, r.trace_lo, r.entry_span_id, r.route, r.service, r.place, r.environment,
        r.service_version, r.kind, r.status, r.shell_ns, r.complete_ns, r.start_ns
    FROM base.requests r
    WHERE r.kind <> $other AND {where}
),
keyed AS (
    {keys}
),
member AS MATERIALIZED (
    SELECT true AS whole, NULL AS key, request_no FROM picked
    UNION ALL
    SELECT false, key, request_no FROM keyed
),
begun AS MATERIALIZED (
    SELECT trace_hi, trace_lo, request_no,
        CASE WHEN lag(start_ns) OVER trace IS NULL THEN -9223372036854775808 ELSE start_ns END AS since_ns
    FROM (
        SELECT t.trace_hi, t.trace_lo, r.start_ns, min(t.request_no) AS request_no
        FROM base.request_traces t
        JOIN base.requests r USING (request_no)
        SEMI JOIN (SELECT trace_hi, trace_lo FROM base.request_traces SEMI JOIN picked USING (request_no)) p
            ON p.trace_hi = t.trace_hi AND p.trace_lo = t.trace_lo
        GROUP BY ALL
    )
    WINDOW trace AS (PARTITION BY trace_hi, trace_lo ORDER BY start_ns)
),
marked AS MATERIALIZED (
    SELECT b.request_no, s.*
    FROM (
        SELECT *
        FROM base.shaped_spans
        SEMI JOIN begun USING (trace_hi, trace_lo)
        WHERE role = $middleware OR cache_status IS NOT NULL OR attribute_keys LIKE '%seamscope.%'
    ) s
    ASOF JOIN begun b ON b.trace_hi = s.trace_hi AND b.trace_lo = s.trace_lo AND s.start_ns >= b.since_ns
    SEMI JOIN picked p ON p.request_no = b.request_no
),
seam AS MATERIALIZED (
    SELECT owner_no AS seam_no, seam, split_part(seam, ':', 1) AS caller,
        regexp_extract(seam, '(?s).*→([a-z]+):', 1) AS callee, regexp_extract(seam, '(?s).*→([a-z]+:.*)', 1) AS party
    FROM base.owners
),
hop AS MATERIALIZED (
    SELECT h.request_no, h.trace_hi, h.trace_lo, h.client_span_id, h.server_span_id, h.duration_ns, h.pool_wait_ns,
        h.reused, h.attempts, s.seam, s.caller, s.callee, s.party
    FROM base.hops h
    JOIN picked p USING (request_no)
    JOIN seam s USING (seam_no)
    WHERE NOT coalesce(h."async", false)
),
handler AS MATERIALIZED (
    SELECT request_no, trace_hi, trace_lo, entry_span_id AS span_id, true AS entry FROM picked
    UNION ALL
    SELECT request_no, trace_hi, trace_lo, server_span_id, false FROM hop WHERE server_span_id <> 0
    UNION
    SELECT request_no, trace_hi, trace_lo, span_id, false FROM marked WHERE role = $middleware
),
still AS MATERIALIZED (
    SELECT DISTINCT trace_hi, trace_lo, span_id
    FROM base.warnings
    SEMI JOIN picked USING (request_no)
    WHERE code = $unmeasurable
),
handled AS MATERIALIZED (
    SELECT d.request_no, d.entry AND s.kind = 2 AS entry,
        CASE WHEN u.span_id IS NULL THEN base.length_ns(s.start_ns, s.end_ns) END AS ns, -- else its clock stood still
        s.status = 2 OR s.http_status >= 500 AS failed,
        coalesce(s.http_status IN (408, 504) OR s.rpc_status IN ('4', 'DEADLINE_EXCEEDED')
            OR regexp_matches(s.error_type, '(?i)time_?d?.?out|deadline'), false) AS timed_out,
        base.tier_word(coalesce(z.rule_tier, nullif(s.tier_hint, 0), z.tier, 0)) AS tier
    FROM handler d
    JOIN base.spans s USING (trace_hi, trace_lo, span_id)
    LEFT JOIN base.resources z USING (resource_id)
    LEFT JOIN still u ON u.trace_hi = d.trace_hi AND u.trace_lo = d.trace_lo AND u.span_id = d.span_id
    WHERE s.kind IN (1, 2)
),
said AS MATERIALIZED (
    SELECT s.request_no, CASE WHEN u.span_id IS NULL THEN base.length_ns(s.start_ns, s.end_ns) END AS ns,
        base.tier_word(coalesce(z.rule_tier, nullif(s.tier_hint, 0), z.tier, 0)) AS tier,
        base.attribute(
            s.attribute_keys, s.attribute_texts, s.correlation_id, s.platform_id, s.url_path, 'seamscope.edge.decision'
        ) AS decision,
        base.attribute(
            s.attribute_keys, s.attribute_texts, s.correlation_id, s.platform_id, s.url_path, 'seamscope.auth.outcome'
        ) AS auth,
        base.attribute(
            s.attribute_keys, s.attribute_texts, s.correlation_id, s.platform_id, s.url_path, 'seamscope.flag.outcome'
        ) AS flag
    FROM marked s
    LEFT JOIN base.resources z USING (resource_id)
    LEFT JOIN still u ON u.trace_hi = s.trace_hi AND u.trace_lo = s.trace_lo AND u.span_id = s.span_id
    WHERE s.attribute_keys LIKE '%seamscope.%'
),
cached AS (
    SELECT s.request_no, s.cache_status,
        base.attribute(
            s.attribute_keys, s.attribute_texts, s.correlation_id, s.platform_id, s.url_path, 'seamscope.cache.scope'
        ) AS scope
    FROM marked s
    WHERE s.cache_status IS NOT NULL
),
edge AS (
    SELECT p.request_no, any_value(d.decision) AS decision, any_value(p.status) AS status,
        count(h.request_no) FILTER (h.callee IN ('render', 'origin')) > 0 AS passed
    FROM picked p
    LEFT JOIN (SELECT request_no, any_value(decision) AS decision FROM said GROUP BY request_no) d USING (request_no)
    LEFT JOIN hop h USING (request_no)
    WHERE d.decision IS NOT NULL
        OR p.request_no IN (SELECT request_no FROM handled WHERE entry AND tier = 'edge')
    GROUP BY p.request_no
),
fact AS (
    SELECT request_no, 'edge_redirect' AS metric, '' AS label,
        coalesce(decision = 'redirect', status BETWEEN 300 AND 399 AND status <> 304)::DOUBLE AS value
    FROM edge
    UNION ALL
    SELECT request_no, 'edge_answered', '',
        coalesce(decision IN ('answer', 'redirect', 'block'), NOT passed)::DOUBLE
    FROM edge
    UNION ALL
    SELECT request_no, 'middleware_auth_failure', '', (auth <> 'ok')::DOUBLE FROM said WHERE auth IS NOT NULL
    UNION ALL
    SELECT request_no, 'shell_ttfb', '', shell_ns FROM picked WHERE shell_ns IS NOT NULL
    UNION ALL
    SELECT h.request_no, 'backend_first_byte', '', coalesce(s.first_byte_ns, h.duration_ns)
    FROM hop h
    JOIN base.spans s ON s.trace_hi = h.trace_hi AND s.trace_lo = h.trace_lo AND s.span_id = h.client_span_id
    WHERE h.caller IN ('edge', 'render') AND h.callee = 'origin' AND s.kind = 3
        AND (s.first_byte_ns IS NOT NULL OR s.extent = 1)
    UNION ALL
    SELECT request_no, CASE tier WHEN 'edge' THEN 'edge' ELSE 'regional' END || metric, '', value
    FROM (
        SELECT request_no, tier, unnest(['_handler', '_handler_error', '_handler_timeout']) AS metric,
            unnest([ns::DOUBLE, coalesce(failed, false)::DOUBLE, timed_out::DOUBLE]) AS value
        FROM handled
        WHERE tier IN ('edge', 'render', 'origin')
    )
    WHERE value IS NOT NULL
    UNION ALL
    SELECT p.request_no, 'fan_out', '', count(h.request_no) FILTER (h.callee = 'origin')
    FROM picked p LEFT JOIN hop h USING (request_no)
    GROUP BY p.request_no
    UNION ALL
    SELECT request_no, 'cache_hit', coalesce(scope, ''), (lower(cache_status) = 'hit')::DOUBLE FROM cached
    UNION ALL
    SELECT f.request_no, 'nonessential_block', '', f.cost_ns
    FROM base.finding_requests f
    JOIN base.findings g USING (finding_id)
    JOIN picked USING (request_no)
    WHERE g.rule = $nonessential
    UNION ALL
    SELECT request_no, 'pool_wait', party, pool_wait_ns FROM hop WHERE callee = 'data' AND pool_wait_ns IS NOT NULL
    UNION ALL
    SELECT request_no, 'query', party, duration_ns FROM hop WHERE callee = 'data'
    UNION ALL
    SELECT request_no, 'cold_connection', seam, (NOT reused)::DOUBLE FROM hop WHERE reused IS NOT NULL
    UNION ALL
    SELECT x.request_no, 'cold_start', split_part(o.owner, ':', 1), sum(x.end_ns - x.start_ns)
    FROM base.segments x
    JOIN picked USING (request_no)
    JOIN base.owners o USING (owner_no)
    WHERE x.cause = $cold_start
    GROUP BY x.request_no, o.owner
    UNION ALL
    SELECT request_no, 'flag_service', '', ns FROM said
    WHERE flag IS NOT NULL AND tier = 'edge' AND ns IS NOT NULL
    UNION ALL
    SELECT request_no, 'flag_default', '', (flag <> 'ok')::DOUBLE FROM said WHERE flag IS NOT NULL
    UNION ALL
    SELECT w.request_no, 'queue_wait', '', w.queue_wait_ns
    FROM base.async_work w JOIN picked USING (request_no)
    WHERE w.queue_wait_ns IS NOT NULL
    UNION ALL
    SELECT request_no, 'retry', '', attempts - 1 FROM hop WHERE attempts IS NOT NULL
)
SELECT m.whole, m.key, f.metric, f.label, count(*) AS count, sum(f.value) AS sum, avg(f.value) AS mean,
    quantile_disc(f.value, 0.5) AS p50, quantile_disc(f.value, 0.95) AS p95, quantile_disc(f.value, 0.99) AS p99,
    max(f.value) AS max
FROM fact f
JOIN member m USING (request_no)
GROUP BY ALL
ORDER BY ALL
