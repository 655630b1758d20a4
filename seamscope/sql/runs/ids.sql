-- Ids of requests that spans of some traces carry, among those that came in a range of commits, as often as they do.
-- Their hashes: millions of texts are not to be held in memory to find the few that are shared.
WITH told AS (
    SELECT
        trace_hi,
        trace_lo,
        correlation_id,
        correlation_uuid,
        platform_id
    FROM base.span_rows
    SEMI JOIN wanted USING (trace_hi, trace_lo)
    WHERE
        (correlation_id IS NOT NULL OR correlation_uuid IS NOT NULL OR platform_id IS NOT NULL)
        AND commit_no >= $first_commit AND commit_no <= $last_commit
)

SELECT
    trace_hi,
    trace_lo,
    hash(correlation_id) AS id
FROM told
WHERE correlation_id IS NOT NULL
UNION ALL
SELECT
    trace_hi,
    trace_lo,
    hash(correlation_uuid)
FROM told
WHERE correlation_uuid IS NOT NULL
UNION ALL
SELECT
    trace_hi,
    trace_lo,
    hash(platform_id)
FROM told
WHERE platform_id IS NOT NULL;
