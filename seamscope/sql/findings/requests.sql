-- The requests that findings are drawn from: the latest ones of a condition, whatever order they came in, up to so many
-- requests and so many spans.
SELECT
    request_no,
    hash(trace_hi, trace_lo) AS trace_id,
    entry_span_id,
    service,
    route,
    status,
    correlation_id,
    start_ns,
    shell_ns,
    complete_ns,
    trace_hi,
    trace_lo
FROM (
    SELECT * FROM base.requests r
    WHERE r.spans <= $most_spans AND ({where})
    ORDER BY start_ns DESC, trace_hi, trace_lo, entry_span_id
    LIMIT $most
)
QUALIFY
    sum(spans) OVER (
        ORDER BY start_ns DESC, trace_hi, trace_lo, entry_span_id ROWS UNBOUNDED PRECEDING
    ) <= $most_spans
ORDER BY start_ns DESC, trace_hi, trace_lo, entry_span_id
