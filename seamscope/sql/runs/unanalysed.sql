-- Traces with spans that no stored request has taken in.
WITH arrived AS (
    SELECT
        trace_hi,
        trace_lo,
        min(start_ns) AS start_ns,
        min(commit_no) AS first_commit,
        max(commit_no) AS last_commit,
        max(ingested_ns) AS last_ns,
        count(*) AS spans
    FROM base.span_rows
    WHERE commit_no <= $upto
    GROUP BY trace_hi, trace_lo
),

settled AS (
    SELECT
        t.trace_hi,
        t.trace_lo,
        max(r.settled_ns) AS settled_ns
    FROM base.request_traces AS t
    JOIN base.requests AS r USING (request_no)
    GROUP BY t.trace_hi, t.trace_lo
)

SELECT arrived.*
FROM arrived
LEFT JOIN settled USING (trace_hi, trace_lo)
WHERE settled.settled_ns IS NULL OR settled.settled_ns < arrived.last_ns;
