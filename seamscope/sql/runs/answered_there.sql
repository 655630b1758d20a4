-- What answered at some hosts (`wanted`), and a trace that shows it. No port: of a call, which span told it is not stored.
WITH calling AS MATERIALIZED (
    SELECT kind_no
    FROM base.hop_kinds
    SEMI JOIN wanted USING (peer)
)

SELECT
    h.peer,
    r.tier,
    r.service,
    max(h.trace_hi) AS trace_hi,
    arg_max(h.trace_lo, h.trace_hi) AS trace_lo
FROM base.hops AS h
SEMI JOIN wanted ON wanted.peer = h.peer
JOIN base.owners AS o ON o.owner_no = h.seam_no
JOIN base.owners AS r ON r.owner = split_part(o.seam, '→', 2)
WHERE
    h.server_span_id <> 0
    AND h.request_no IN (
        SELECT l.request_no
        FROM (SELECT request_no, unnest(hop_kind) AS kind_no FROM base.request_lists) AS l
        SEMI JOIN calling USING (kind_no)
    )
GROUP BY ALL;
