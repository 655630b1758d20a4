-- Owner × cause × evidence totals of a selection, by groups and in all (group 0), with percentiles, the calls that
-- held each horizon and the request that stands at each percentile: one statement, so that all of it is of one state
-- of the store.
--
-- {where} picks requests, {keys} gives (request_no, key). $quantile is null for the mean, else the quantile whose
-- nearest requests the totals are taken from: $share of them, at least $least, else none.
WITH picked AS MATERIALIZED (
    SELECT r.request_no, r.trace_hi, r.trace_lo, r.entry_span_id, r.route, r.service, r.place, r.environment,
        r.service_version, r.kind, r.status, r.weight, r.shell_ns, r.complete_ns
    FROM base.requests r
    WHERE r.kind <> $other AND {where}
),
keyed AS MATERIALIZED (
    {keys}
),
ranked AS MATERIALIZED (
    SELECT k.key, row_number() OVER (
            ORDER BY sum(coalesce(p.complete_ns, p.shell_ns, 0)) DESC, count(*) DESC, k.key
        ) AS group_no
    FROM keyed k JOIN picked p USING (request_no)
    GROUP BY k.key
),
member AS MATERIALIZED (
    SELECT 0 AS group_no, request_no FROM picked
    UNION ALL
    SELECT r.group_no, k.request_no
    FROM keyed k JOIN ranked r ON k.key IS NOT DISTINCT FROM r.key
    WHERE r.group_no <= $groups
),
grouped AS (
    SELECT m.group_no, count(*) AS requests, sum(p.weight) AS weight, count(*) FILTER (p.status >= 500) AS errors
    FROM member m JOIN picked p USING (request_no)
    GROUP BY m.group_no
),
asked AS MATERIALIZED (
    SELECT m.group_no, m.request_no, h.horizon, h.ns, row(p.trace_hi, p.trace_lo, p.entry_span_id) AS id
    FROM member m
    JOIN (
        SELECT request_no, 0::UTINYINT AS horizon, shell_ns AS ns FROM picked WHERE shell_ns IS NOT NULL
        UNION ALL
        SELECT request_no, 1::UTINYINT, complete_ns FROM picked WHERE complete_ns IS NOT NULL
    ) h USING (request_no)
    JOIN picked p USING (request_no)
),
measured AS MATERIALIZED (
    SELECT group_no, horizon, count(*) AS known, sum(ns) AS sum_ns, max(ns) AS max_ns,
        quantile_disc(ns, [0.5, 0.95, 0.99]) AS q_ns, quantile_disc(ns, coalesce($quantile, 0.5)) AS at_ns
    FROM asked
    GROUP BY group_no, horizon
),
chosen AS MATERIALIZED (
    SELECT a.group_no, a.horizon, a.request_no, a.ns
    FROM asked a
    JOIN measured m USING (group_no, horizon)
    WHERE $quantile IS NULL OR m.known >= $least
    QUALIFY $quantile IS NULL
        OR row_number() OVER (PARTITION BY a.group_no, a.horizon ORDER BY abs(a.ns - m.at_ns), a.ns, a.id)
        <= greatest($least, ceil(m.known * $share))
),
taken AS (
    SELECT group_no, horizon, count(*) AS requests_in, sum(ns) AS ns_in FROM chosen GROUP BY group_no, horizon
),
by_kind AS (
    SELECT group_no, horizon, kind_no, sum(end_ns - start_ns) AS ns
    FROM (
        SELECT c.group_no, c.horizon, unnest(l.segment_kind) AS kind_no, unnest(l.at_ns) AS start_ns,
            unnest(l.at_ns[2:]) AS end_ns
        FROM chosen c JOIN base.request_lists l USING (request_no)
    )
    GROUP BY group_no, horizon, kind_no
),
share_of AS (
    SELECT b.group_no, b.horizon, k.owner_no, k.cause, k.evidence, sum(b.ns) AS ns
    FROM by_kind b JOIN base.segment_kinds k USING (kind_no, horizon)
    GROUP BY b.group_no, b.horizon, k.owner_no, k.cause, k.evidence
),
walked AS (
    SELECT c.request_no, c.horizon, unnest(l.at_ns) AS start_ns, unnest(l.at_ns[2:]) AS end_ns,
        -- base.at_places() spelled out: a file that an older build wrote and a reader opens has no such macro
        unnest(list_select(l.span_ids, list_transform(
            list_select(l.call_place, l.place), lambda place: coalesce(place, 0)
        ))) AS call_id,
        unnest(l.segment_kind) AS kind_no
    FROM (SELECT DISTINCT request_no, horizon FROM chosen) c JOIN base.request_lists l USING (request_no)
),
stretch AS (
    SELECT w.request_no, w.horizon, w.start_ns, w.end_ns, w.call_id, k.cause
    FROM walked w JOIN base.segment_kinds k USING (kind_no, horizon)
),
shares AS (
    SELECT s.group_no, s.horizon,
        list(struct_pack(owner := o.owner, cause := s.cause, evidence := s.evidence,
            ns := least(s.ns, 9223372036854775807)::BIGINT)  -- a few spans without a start, 1970 that is, sum to more
            ORDER BY s.ns DESC, o.owner, s.cause, s.evidence) AS shares
    FROM share_of s JOIN base.owners o USING (owner_no)
    GROUP BY s.group_no, s.horizon
),
leader AS (
    SELECT request_no, horizon, arg_max(cause, row(ns, -cause::INTEGER)) AS cause
    FROM (
        SELECT s.request_no, s.horizon, s.cause, sum(s.end_ns - s.start_ns) AS ns
        FROM stretch s
        WHERE $quantile IS NOT NULL
        GROUP BY s.request_no, s.horizon, s.cause
    )
    GROUP BY request_no, horizon
),
led AS (
    SELECT group_no, horizon,
        list(struct_pack(cause := cause, requests := requests) ORDER BY requests DESC, cause) AS led_by
    FROM (
        SELECT c.group_no, c.horizon, l.cause, count(*) AS requests
        FROM chosen c JOIN leader l USING (request_no, horizon)
        GROUP BY c.group_no, c.horizon, l.cause
    )
    GROUP BY group_no, horizon
),
hop AS (
    SELECT h.request_no, h.client_span_id, any_value(h.operation) AS operation, any_value(h.seam_no) AS seam_no
    FROM base.hops h SEMI JOIN chosen c USING (request_no)
    GROUP BY h.request_no, h.client_span_id
),
called AS MATERIALIZED (
    SELECT p.request_no, p.horizon, h.operation, h.seam_no, count(*) AS calls, sum(p.ns) AS ns,
        min(p.start_ns) AS start_ns, max(p.end_ns) AS end_ns
    FROM (
        SELECT s.request_no, s.horizon, s.call_id, sum(s.end_ns - s.start_ns) AS ns, min(s.start_ns) AS start_ns,
            max(s.end_ns) AS end_ns
        FROM stretch s
        WHERE s.call_id <> 0
        GROUP BY s.request_no, s.horizon, s.call_id
    ) p
    LEFT JOIN hop h ON h.request_no = p.request_no AND h.client_span_id = p.call_id
    GROUP BY p.request_no, p.horizon, h.operation, h.seam_no
),
call_of AS (
    SELECT c.group_no, c.horizon, d.operation, d.seam_no, count(*) AS requests, sum(d.calls) AS calls, sum(d.ns) AS ns,
        (sum(d.start_ns) // count(*))::BIGINT AS start_ns, (sum(d.end_ns) // count(*))::BIGINT AS end_ns
    FROM chosen c JOIN called d USING (request_no, horizon)
    GROUP BY c.group_no, c.horizon, d.operation, d.seam_no
    QUALIFY row_number() OVER (PARTITION BY c.group_no, c.horizon ORDER BY sum(d.ns) DESC, d.operation, d.seam_no) <= $calls
),
held AS (
    SELECT c.group_no, c.horizon,
        list(struct_pack(operation := c.operation, seam := o.seam, requests := c.requests, calls := c.calls::BIGINT,
            mean_ns := (c.ns // c.requests)::BIGINT, start_ns := c.start_ns, end_ns := c.end_ns)
            ORDER BY c.start_ns, c.end_ns, c.operation, o.seam) AS held_by
    FROM call_of c LEFT JOIN base.owners o ON o.owner_no = c.seam_no
    GROUP BY c.group_no, c.horizon
),
example AS (
    SELECT a.group_no, a.horizon, min(a.id) FILTER (a.ns = m.q_ns[1]) AS p50,
        min(a.id) FILTER (a.ns = m.q_ns[2]) AS p95, min(a.id) FILTER (a.ns = m.q_ns[3]) AS p99,
        min(a.id) FILTER (a.ns = m.max_ns) AS max
    FROM asked a JOIN measured m USING (group_no, horizon)
    GROUP BY a.group_no, a.horizon
)
SELECT g.group_no, r.key, g.requests, g.weight, g.errors, m.horizon, m.known, (m.sum_ns // m.known)::BIGINT AS mean_ns,
    m.max_ns, m.q_ns, coalesce(t.requests_in, 0) AS requests_in,
    least(coalesce(t.ns_in, 0), 9223372036854775807)::BIGINT AS ns_in, s.shares,
    l.led_by, h.held_by, e.p50, e.p95, e.p99, e.max, (SELECT count(*) FROM ranked) AS keys
FROM grouped g
LEFT JOIN ranked r USING (group_no)
LEFT JOIN measured m USING (group_no)
LEFT JOIN taken t USING (group_no, horizon)
LEFT JOIN shares s USING (group_no, horizon)
LEFT JOIN led l USING (group_no, horizon)
LEFT JOIN held h USING (group_no, horizon)
LEFT JOIN example e USING (group_no, horizon)
ORDER BY g.group_no, m.horizon
