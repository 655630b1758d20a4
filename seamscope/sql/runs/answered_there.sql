-- Calls to some hosts (`wanted`) that a server span answered.
WITH calling AS MATERIALIZED (
    SELECT kind_no
    FROM base.hop_kinds
    SEMI JOIN wanted USING (peer)
)

SELECT *
FROM base.hops
SEMI JOIN wanted USING (peer)
WHERE
    server_span_id <> 0
    AND request_no IN (
        SELECT l.request_no
        FROM (SELECT request_no, unnest(hop_kind) AS kind_no FROM base.request_lists) AS l
        SEMI JOIN calling USING (kind_no)
    )
