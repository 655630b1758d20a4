-- A row per seam over the hops of a selection's requests; asynchronous work is left out.
WITH hop AS (
    SELECT h.*, row(r.trace_hi, r.trace_lo, r.entry_span_id) AS id
    FROM base.hops h
    JOIN base.requests r USING (request_no)
    WHERE NOT coalesce(h."async", false) AND {where}
),
seam AS (
    SELECT seam_no, count(*) AS hops, count(DISTINCT request_no) AS requests,
        count(*) FILTER (server_span_id <> 0) AS matched, count(*) FILTER (error) AS errors,
        count(*) FILTER (attempts > 1) AS retried, count(gap_ns) AS gaps, sum(gap_ns) AS gap_sum_ns,
        quantile_disc(gap_ns, [0.5, 0.95, 0.99]) AS q_ns, max(gap_ns) AS max_ns,
        sum(greatest(gap_ns - coalesce(unexplained_ns, 0), 0)) AS explained_ns,
        count(reused) AS reused_known, count(*) FILTER (NOT reused) AS cold,
        histogram(gap_kind::INTEGER) AS gap_kinds,
        {sums}
    FROM hop
    GROUP BY seam_no
),
example AS (
    SELECT h.seam_no, min(h.id) FILTER (h.gap_ns = s.q_ns[1]) AS p50, min(h.id) FILTER (h.gap_ns = s.q_ns[2]) AS p95,
        min(h.id) FILTER (h.gap_ns = s.q_ns[3]) AS p99, min(h.id) FILTER (h.gap_ns = s.max_ns) AS max
    FROM hop h JOIN seam s USING (seam_no)
    GROUP BY h.seam_no
)
SELECT o.seam, s.* EXCLUDE (seam_no, gap_kinds), map_keys(s.gap_kinds) AS gap_kinds,
    map_values(s.gap_kinds) AS gap_kind_hops, e.* EXCLUDE (seam_no)
FROM seam s
JOIN base.owners o ON o.owner_no = s.seam_no
LEFT JOIN example e USING (seam_no)
ORDER BY coalesce(s.gap_sum_ns, 0) DESC, s.hops DESC, o.seam
