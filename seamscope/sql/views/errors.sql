-- Errors, messages verbatim: every exception event, and every span in error without one. route is the request's
-- (the span's own where it is in no request); upstream is whom the failing span called. In a trace of several
-- requests a span counts to the one that began last before it.
CREATE OR REPLACE VIEW main.errors AS
WITH failed AS (
    SELECT s.trace_hi, s.trace_lo, s.span_id, s.kind, s.start_ns, s.end_ns, s.route, s.peer, s.resource_id,
        s.correlation_id, s.error_type, s.status, s.status_message, s.http_status, s.rpc_status
    FROM base.spans s
    WHERE s.status = 2
),
thrown AS (
    SELECT e.trace_hi, e.trace_lo, e.span_id, e.kind, e.at_ns, main.attr(e.attributes, 'exception.type') AS type,
        main.attr(e.attributes, 'exception.message') AS message
    FROM base.span_events e
    WHERE e.name = 'exception'
),
said AS (
    SELECT t.trace_hi, t.trace_lo, t.span_id, t.kind, t.at_ns, s.start_ns, s.route, s.peer, s.resource_id,
        s.correlation_id, coalesce(t.type, s.error_type) AS type, coalesce(t.message, s.status_message) AS message
    FROM thrown t
    JOIN base.spans s USING (trace_hi, trace_lo, span_id, kind)
    UNION ALL
    SELECT f.trace_hi, f.trace_lo, f.span_id, f.kind, f.end_ns, f.start_ns, f.route, f.peer, f.resource_id,
        f.correlation_id, coalesce(f.error_type, f.rpc_status, f.http_status::VARCHAR), f.status_message
    FROM failed f
    ANTI JOIN thrown t USING (trace_hi, trace_lo, span_id, kind)
),
placed AS (
    SELECT x.*, r.entry_span_id, r.trace_hi AS request_hi, r.trace_lo AS request_lo, r.route AS request_route,
        r.correlation_id AS request_correlation_id, r.request_no
    FROM said x
    LEFT JOIN base.request_traces t USING (trace_hi, trace_lo)
    LEFT JOIN base.requests r USING (request_no)
    QUALIFY row_number() OVER (
        PARTITION BY x.trace_hi, x.trace_lo, x.span_id, x.kind, x.at_ns, x.type, x.message
        ORDER BY (r.start_ns <= x.start_ns) DESC, abs(r.start_ns - x.start_ns), r.request_no
    ) = 1
)
SELECT
    base.request_text(p.request_hi, p.request_lo, p.entry_span_id) AS request_id,
    coalesce(p.request_route, p.route) AS route,
    p.peer AS upstream,
    z.service,
    p.type,
    p.message,
    make_timestamp_ns(p.at_ns) AS "at",
    base.trace_text(p.trace_hi, p.trace_lo) AS trace_id,
    base.span_text(p.span_id) AS span_id,
    base.span_kind_word(p.kind) AS kind,
    coalesce(p.correlation_id, p.request_correlation_id) AS correlation_id,
    p.at_ns
FROM placed p
LEFT JOIN base.resources z USING (resource_id);
