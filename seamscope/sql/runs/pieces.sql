-- Traces whose spans carry one of some ids, among the spans that came in since $since_ns.
WITH told AS (
    SELECT
        trace_hi,
        trace_lo,
        unnest([correlation_id, platform_id]) AS id
    FROM base.span_rows
    WHERE (correlation_id IS NOT NULL OR platform_id IS NOT NULL) AND ingested_ns >= $since_ns
)

SELECT DISTINCT
    trace_hi,
    trace_lo
FROM told
SEMI JOIN ids USING (id);
