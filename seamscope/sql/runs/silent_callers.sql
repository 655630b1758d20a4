-- Traces with calls to some hosts, by their names or as some services, that were analysed without a server span.
WITH calling AS MATERIALIZED (
    SELECT kind_no
    FROM base.hop_kinds
    -- not list_contains() twice: of a few constants, two of them with OR fail to bind in DuckDB 2.0
    WHERE list_has_any([peer], $peers::VARCHAR[])
        OR list_has_any([peer, split_part(peer, '.', 1)], $services::VARCHAR[])
)

SELECT DISTINCT
    h.trace_hi,
    h.trace_lo
FROM base.hops AS h
WHERE
    h.request_no IN (
        SELECT l.request_no
        FROM (SELECT request_no, unnest(hop_kind) AS kind_no FROM base.request_lists) AS l
        SEMI JOIN calling USING (kind_no)
    )
    AND h.server_span_id = 0
    AND (
        list_has_any([h.peer], $peers::VARCHAR[])
        OR list_has_any([h.peer, split_part(h.peer, '.', 1)], $services::VARCHAR[])
    );
