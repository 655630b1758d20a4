-- What answered at some hosts (`wanted`), and a trace that shows it. No port: of a call, which span told it is not stored.
-- The trace is the request's. A call's own may be another, which is analysed with it once their window settles.
WITH calling AS MATERIALIZED (
    SELECT kind_no, peer, seam_no
    FROM base.hop_kinds
    SEMI JOIN wanted USING (peer)
)

SELECT
    k.peer,
    r.tier,
    r.service,
    max(q.trace_hi) AS trace_hi,
    arg_max(q.trace_lo, q.trace_hi) AS trace_lo
FROM (
    SELECT
        request_no,
        unnest(hop_kind) AS kind_no,
        unnest(server_place) AS server_place
    FROM base.request_lists
) AS h
JOIN calling AS k USING (kind_no)
JOIN base.requests AS q USING (request_no)
JOIN base.owners AS o ON o.owner_no = k.seam_no
JOIN base.owners AS r ON r.owner = split_part(o.seam, '→', 2)
WHERE coalesce(h.server_place, 0) <> 0
GROUP BY ALL;
