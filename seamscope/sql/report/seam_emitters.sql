-- Who sent the spans on either side of each seam: of its 20 calls with most unexplained time, by instrumentation scope.
WITH hop AS (
    SELECT h.*
    FROM base.hops h
    JOIN base.requests r USING (request_no)
    WHERE NOT coalesce(h."async", false) AND {where}
),
looked_at AS (
    SELECT seam_no, unnest(arg_max({
        'trace_hi': trace_hi, 'trace_lo': trace_lo, 'client': client_span_id, 'server': server_span_id
    }, coalesce(unexplained_ns, duration_ns, 0), 20)) AS call
    FROM hop
    GROUP BY seam_no
),
side AS (
    SELECT seam_no, 'caller' AS side, call.trace_hi, call.trace_lo, call.client AS span_id FROM looked_at
    UNION ALL
    SELECT seam_no, 'callee', call.trace_hi, call.trace_lo, call.server FROM looked_at WHERE call.server <> 0
)
SELECT o.seam, d.side, coalesce(s.scope, '') AS scope, coalesce(any_value(c.language), '') AS language,
    count(*) AS calls
FROM side d
JOIN base.shaped_spans s USING (trace_hi, trace_lo, span_id)
JOIN base.owners o ON o.owner_no = d.seam_no
LEFT JOIN base.resources c ON c.resource_id = s.resource_id
GROUP BY o.seam, d.side, s.scope
ORDER BY o.seam, d.side, calls DESC, scope
