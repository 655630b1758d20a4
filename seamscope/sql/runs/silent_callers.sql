-- Traces of requests with calls to some hosts, by their names or as some services, that were analysed without a server
-- span. The few kinds of calls come first: what all calls take in memory (base.hops) is too much for a question that is
-- asked whenever a host is new.
WITH calling AS MATERIALIZED (
    SELECT kind_no
    FROM base.hop_kinds
    -- not list_contains() twice: of a few constants, two of them with OR fail to bind in DuckDB 2.0
    WHERE list_has_any([peer], $peers::VARCHAR[])
        OR list_has_any([peer, split_part(peer, '.', 1)], $services::VARCHAR[])
),

silent AS (
    SELECT request_no
    FROM (
        SELECT
            request_no,
            unnest(hop_kind) AS kind_no,
            unnest(server_place) AS server_place
        FROM base.request_lists
    )
    SEMI JOIN calling USING (kind_no)
    WHERE coalesce(server_place, 0) = 0
)

SELECT DISTINCT
    trace_hi,
    trace_lo
FROM base.request_traces
SEMI JOIN silent USING (request_no);
