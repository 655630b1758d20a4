-- Requests of a selection in one order, a page of them, their dominant owner in words.
WITH page AS (
    SELECT r.*, {rank} AS rank
    FROM base.requests r
    WHERE {where}
    ORDER BY rank DESC, r.trace_hi DESC, r.trace_lo DESC, r.entry_span_id DESC
    LIMIT $limit
)
SELECT page.* EXCLUDE (rank), o.owner AS dominant_owner
FROM page
LEFT JOIN base.owners o ON o.owner_no = page.dominant_owner_no
ORDER BY page.rank DESC, page.trace_hi DESC, page.trace_lo DESC, page.entry_span_id DESC
