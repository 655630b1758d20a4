-- The requests with the widest gap on every seam that a selection crosses.
WITH widest AS (
    SELECT h.seam_no, h.request_no, max(h.gap_ns) AS gap_ns
    FROM base.hops h
    JOIN base.requests r USING (request_no)
    WHERE h.gap_ns IS NOT NULL AND NOT coalesce(h."async", false) AND {where}
    GROUP BY h.seam_no, h.request_no
)
SELECT s.seam, w.gap_ns AS widest_gap_ns, r.*, o.owner AS dominant_owner
FROM widest w
JOIN base.requests r USING (request_no)
JOIN base.owners s ON s.owner_no = w.seam_no
LEFT JOIN base.owners o ON o.owner_no = r.dominant_owner_no
QUALIFY row_number() OVER (
    PARTITION BY w.seam_no ORDER BY w.gap_ns DESC, r.trace_hi, r.trace_lo, r.entry_span_id
) <= $each
ORDER BY s.seam, w.gap_ns DESC, r.trace_hi, r.trace_lo, r.entry_span_id
