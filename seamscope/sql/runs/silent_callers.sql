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
    AND (
        list_contains($peers::VARCHAR[], h.peer)
        OR list_contains($services::VARCHAR[], h.peer)
        OR list_contains($services::VARCHAR[], split_part(h.peer, '.', 1))
    );
