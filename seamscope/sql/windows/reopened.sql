-- Windows in which some stored traces begin, and those beside them, are settled no longer.
DELETE FROM base.windows AS w
USING (
    SELECT
        h.start_ns,
        h.end_ns
    FROM base.windows AS h
    SEMI JOIN reopened AS t ON t.start_ns >= h.start_ns AND t.start_ns < h.end_ns
) AS near
WHERE w.start_ns <= near.end_ns AND w.end_ns >= near.start_ns;
