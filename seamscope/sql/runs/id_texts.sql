-- What some ids of requests (their hashes, as `ids` gives them) read like, among those that spans of some traces carry in
-- a range of commits: a UUID in either form that it may have come in.
WITH asked AS (
    SELECT unnest(CAST($ids AS UBIGINT[])) AS id
),

told AS (
    SELECT
        correlation_id,
        correlation_uuid,
        platform_id
    FROM base.span_rows
    SEMI JOIN wanted USING (trace_hi, trace_lo)
    WHERE commit_no >= $first_commit AND commit_no <= $last_commit
)

SELECT t.correlation_id AS id
FROM told AS t
WHERE hash(t.correlation_id) IN (SELECT a.id FROM asked AS a)
UNION
SELECT CAST(t.correlation_uuid AS VARCHAR)
FROM told AS t
WHERE hash(t.correlation_uuid) IN (SELECT a.id FROM asked AS a)
UNION
SELECT replace(CAST(t.correlation_uuid AS VARCHAR), '-', '')
FROM told AS t
WHERE hash(t.correlation_uuid) IN (SELECT a.id FROM asked AS a)
UNION
SELECT t.platform_id
FROM told AS t
WHERE hash(t.platform_id) IN (SELECT a.id FROM asked AS a);
