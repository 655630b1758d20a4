-- The log records of one request in time order: those of its traces, and those that carry one of its ids. Of a trace
-- that holds several requests, only records of its own spans ($spans, unless $all) and of no span, and ids of these.
WITH traces AS (
    SELECT t.trace_hi, t.trace_lo
    FROM base.request_traces t
    WHERE t.request_no = $request_no
),

ids AS (
    SELECT unnest([s.correlation_id, s.platform_id]) AS id
    FROM base.shaped_spans s
    JOIN traces USING (trace_hi, trace_lo)
    WHERE (s.correlation_id IS NOT NULL OR s.platform_id IS NOT NULL)
        AND ($all OR list_contains($spans::UBIGINT[], s.span_id))
    UNION
    SELECT r.correlation_id FROM base.requests r WHERE r.request_no = $request_no
),

found AS (
    SELECT l.*, 'trace_context' AS joined_by
    FROM base.logs l
    JOIN traces USING (trace_hi, trace_lo)
    WHERE $all OR l.span_id = 0 OR list_contains($spans::UBIGINT[], l.span_id)
    UNION ALL
    SELECT l.*, CASE WHEN l.correlation_id IN (SELECT id FROM ids) THEN 'request_id' ELSE 'platform_id' END AS joined_by
    FROM base.logs l
    WHERE (l.correlation_id IS NOT NULL OR l.platform_id IS NOT NULL)
        AND coalesce(nullif(l.time_ns, 0), l.observed_ns) BETWEEN $since_ns AND $until_ns
        AND (l.correlation_id IN (SELECT id FROM ids) OR l.platform_id IN (SELECT id FROM ids))
        AND (l.trace_hi, l.trace_lo) NOT IN (SELECT (t.trace_hi, t.trace_lo) FROM traces t)
)

SELECT
    coalesce(nullif(l.time_ns, 0), nullif(l.observed_ns, 0), l.ingested_ns) AS at_ns,
    l.trace_hi,
    l.trace_lo,
    l.span_id,
    l.severity,
    l.severity_text,
    l.event_name,
    left(l.body, $longest) AS body,
    length(l.body) AS characters,
    z.service,
    l.scope,
    l.correlation_id,
    l.attributes,
    l.joined_by,
    count(*) OVER () AS total
FROM found l
LEFT JOIN base.resources z USING (resource_id)
ORDER BY at_ns, l.commit_no, l.span_id, l.body
LIMIT $most
