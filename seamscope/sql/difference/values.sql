-- How many requests of a set carry a value: columns of the request, attributes of its entry span, whom it called.
-- Of each key $distinct values at most.
WITH picked AS MATERIALIZED (
    SELECT r.request_no, r.trace_hi, r.trace_lo, r.entry_span_id, r.route, r.method, r.status, r.place, r.environment,
        r.service_version, r.kind
    FROM base.requests r
    WHERE r.kind <> $other AND r.{horizon}_ns IS NOT NULL AND {where}
),
carried AS (
    SELECT request_no, unnest(['route', 'method', 'status', 'place', 'environment', 'version']) AS key,
        unnest([route, method, status::VARCHAR, place, environment, service_version]) AS value
    FROM picked
    UNION ALL
    SELECT p.request_no, a.key, a.value
    FROM picked p
    JOIN base.shaped_spans x ON x.trace_hi = p.trace_hi AND x.trace_lo = p.trace_lo AND x.span_id = p.entry_span_id,
        unnest(base.pairs(x.attribute_keys, x.attribute_texts, x.correlation_id, x.platform_id, x.url_path)) AS u(a)
    UNION ALL
    SELECT p.request_no, 'callee_instance', h.callee_instance FROM picked p JOIN base.hops h USING (request_no)
    UNION ALL
    SELECT p.request_no, 'seam', o.owner
    FROM picked p JOIN base.hops h USING (request_no) JOIN base.owners o ON o.owner_no = h.seam_no
)
SELECT key, value, count(DISTINCT request_no) AS requests
FROM carried
WHERE value IS NOT NULL AND length(value) <= $longest
GROUP BY key, value
QUALIFY row_number() OVER (PARTITION BY key ORDER BY value) <= $distinct
ORDER BY key, value;
