-- The slowest requests of every route of a selection.
SELECT r.*, o.owner AS dominant_owner
FROM base.requests r
LEFT JOIN base.owners o ON o.owner_no = r.dominant_owner_no
WHERE r.kind <> $other AND {where}
QUALIFY row_number() OVER (
    PARTITION BY r.route
    ORDER BY coalesce(r.complete_ns, r.shell_ns, -1) DESC, r.trace_hi, r.trace_lo, r.entry_span_id
) <= $each
ORDER BY coalesce(r.complete_ns, r.shell_ns, -1) DESC, r.trace_hi, r.trace_lo, r.entry_span_id
