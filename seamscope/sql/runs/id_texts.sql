-- What some ids of requests (their hashes, as `ids` gives them) read like, among those that spans of some traces carry in
-- a range of commits: a UUID in either form that it may have come in.
WITH told AS (
    SELECT DISTINCT
        correlation_id,
        correlation_uuid,
        platform_id
    FROM base.span_rows
    SEMI JOIN wanted USING (trace_hi, trace_lo)
    WHERE commit_no >= $first_commit AND commit_no <= $last_commit
),

asked AS (
    SELECT unnest(CAST($ids AS UBIGINT[])) AS id
)

SELECT correlation_id AS id
FROM told
WHERE hash(correlation_id) IN (SELECT a.id FROM asked AS a)
UNION
SELECT CAST(correlation_uuid AS VARCHAR)
FROM told
WHERE hash(correlation_uuid) IN (SELECT a.id FROM asked AS a)
UNION
SELECT replace(CAST(correlation_uuid AS VARCHAR), '-', '')
FROM told
WHERE hash(correlation_uuid) IN (SELECT a.id FROM asked AS a)
UNION
SELECT platform_id
FROM told
WHERE hash(platform_id) IN (SELECT a.id FROM asked AS a);
