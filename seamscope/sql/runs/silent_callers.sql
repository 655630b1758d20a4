-- Traces with calls to some hosts, by their names or as some services, that were analysed without a server span.
SELECT DISTINCT
    h.trace_hi,
    h.trace_lo
FROM base.hops AS h
WHERE
    h.request_no IN (
        SELECT l.request_no
        FROM base.request_lists AS l
        WHERE list_has_any(l.peer, list_concat($peers::VARCHAR[], $services::VARCHAR[]))
            OR list_has_any(list_transform(l.peer, lambda host: split_part(host, '.', 1)), $services::VARCHAR[])
    )
    AND h.server_span_id = 0
    -- not list_contains() twice: of a few constants, two of them with OR fail to bind in DuckDB 2.0
    AND (
        list_has_any([h.peer], $peers::VARCHAR[])
        OR list_has_any([h.peer, split_part(h.peer, '.', 1)], $services::VARCHAR[])
    );
