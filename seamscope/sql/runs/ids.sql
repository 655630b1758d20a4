-- Ids of requests that spans of some traces carry, among those that came in a range of commits. Their hashes: millions
-- of texts are not to be held in memory to find the few that are shared.
SELECT DISTINCT
    trace_hi,
    trace_lo,
    id
FROM (
    SELECT
        trace_hi,
        trace_lo,
        unnest([
            CASE WHEN correlation_id IS NOT NULL THEN hash(correlation_id) END,
            CASE WHEN correlation_uuid IS NOT NULL THEN hash(correlation_uuid) END,
            CASE WHEN platform_id IS NOT NULL THEN hash(platform_id) END
        ]) AS id
    FROM base.span_rows
    SEMI JOIN wanted USING (trace_hi, trace_lo)
    WHERE
        (correlation_id IS NOT NULL OR correlation_uuid IS NOT NULL OR platform_id IS NOT NULL)
        AND commit_no >= $first_commit AND commit_no <= $last_commit
)
WHERE id IS NOT NULL;
