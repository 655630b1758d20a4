-- Known horizons whose segments are not disjoint and contiguous from 0 to the horizon.
WITH known AS (
    SELECT request_id, 'shell' AS horizon, shell_ns AS whole_ns FROM requests WHERE shell_ns IS NOT NULL
    UNION ALL
    SELECT request_id, 'complete', complete_ns FROM requests WHERE complete_ns IS NOT NULL
),
steps AS (
    SELECT
        request_id,
        horizon,
        start_ns,
        end_ns,
        coalesce(lag(end_ns) OVER (PARTITION BY request_id, horizon ORDER BY start_ns, end_ns), 0) AS before_ns
    FROM segments
),
paths AS (
    SELECT
        request_id,
        horizon,
        sum(end_ns - start_ns)::BIGINT AS parts_ns,
        bool_and(start_ns = before_ns AND end_ns >= start_ns) AS contiguous
    FROM steps
    GROUP BY ALL
)
SELECT count(*) AS violations
FROM known
FULL JOIN paths USING (request_id, horizon)
WHERE whole_ns IS NULL OR coalesce(parts_ns, 0) <> whole_ns OR NOT coalesce(contiguous, TRUE)
