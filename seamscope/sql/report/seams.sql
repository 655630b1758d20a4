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
        coalesce(sum(header_ns) FILTER (gap_ns IS NOT NULL), 0) AS header_ns,
        coalesce(sum(bounded_ns) FILTER (gap_ns IS NOT NULL), 0) AS bounded_ns,
        coalesce(sum(inferred_ns) FILTER (gap_ns IS NOT NULL), 0) AS inferred_ns,
        sum(least(coalesce(unexplained_ns, 0), request_leg_ns)) FILTER (gap_ns IS NOT NULL) AS out_ns,
        count(*) FILTER (unexplained_ns > 0 AND request_leg_ns > 0) AS out_hops,
        sum(least(coalesce(unexplained_ns, 0), response_leg_ns)) FILTER (gap_ns IS NOT NULL) AS back_ns,
        count(*) FILTER (unexplained_ns > 0 AND response_leg_ns > 0) AS back_hops,
        coalesce(sum(duration_ns) FILTER (server_span_id = 0), 0) AS unmatched_ns,
        {sums}
    FROM hop
    GROUP BY seam_no
),
misfit AS (
    SELECT DISTINCT unnest([(h.caller_instance, h.callee_instance), (h.callee_instance, h.caller_instance)]) AS instances
    FROM base.warnings w
    JOIN base.hops h ON h.trace_hi = w.trace_hi AND h.trace_lo = w.trace_lo AND h.client_span_id = w.span_id
    WHERE w.code = $misfit
),
-- every call leaves the callee's clock between its legs; one that was cut to 0 says only how far it may be off, and if
-- calls were cut on either side, so does the pair. Where no offset fits two clocks at all, nothing does
pair AS (
    SELECT seam_no, instances, hops, -CASE WHEN torn THEN error_ns ELSE back_ns END AS low,
        CASE WHEN torn THEN error_ns ELSE out_ns END AS high
    FROM (
        SELECT seam_no, (caller_instance, callee_instance) AS instances, count(*) AS hops,
            bool_or(request_leg_ns = 0) AND bool_or(response_leg_ns = 0) AS torn, min(leg_error_ns) AS error_ns,
            min(CASE WHEN request_leg_ns > 0 THEN request_leg_ns ELSE leg_error_ns END) AS out_ns,
            min(CASE WHEN response_leg_ns > 0 THEN response_leg_ns ELSE leg_error_ns END) AS back_ns
        FROM hop
        WHERE gap_ns IS NOT NULL AND caller_instance IS NOT NULL AND callee_instance IS NOT NULL
        GROUP BY ALL
    )
),
clock AS (
    SELECT seam_no, arg_max({'instances': instances, 'low': low, 'high': high}, (hops, instances)) AS most
    FROM pair
    GROUP BY seam_no
),
example AS (
    SELECT h.seam_no, min(h.id) FILTER (h.gap_ns = s.q_ns[1]) AS p50, min(h.id) FILTER (h.gap_ns = s.q_ns[2]) AS p95,
        min(h.id) FILTER (h.gap_ns = s.q_ns[3]) AS p99, min(h.id) FILTER (h.gap_ns = s.max_ns) AS max
    FROM hop h JOIN seam s USING (seam_no)
    GROUP BY h.seam_no
)
SELECT o.seam, s.* EXCLUDE (seam_no, gap_kinds), map_keys(s.gap_kinds) AS gap_kinds,
    map_values(s.gap_kinds) AS gap_kind_hops, e.* EXCLUDE (seam_no),
    c.most.low AS clock_low_ns, c.most.high AS clock_high_ns
FROM seam s
JOIN base.owners o ON o.owner_no = s.seam_no
LEFT JOIN example e USING (seam_no)
LEFT JOIN clock c ON c.seam_no = s.seam_no AND c.most.instances NOT IN (SELECT instances FROM misfit)
ORDER BY coalesce(s.gap_sum_ns, 0) DESC, s.hops DESC, o.seam
