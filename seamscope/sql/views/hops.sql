-- A row per call from one process to another; phases are null where they are not known.
CREATE OR REPLACE VIEW main.hops AS
SELECT
    r.request_id,
    base.trace_text(h.trace_hi, h.trace_lo) AS trace_id,
    base.span_text(h.client_span_id) AS client_span_id,
    base.span_text(h.server_span_id) AS server_span_id,
    o.seam,
    o.boundary,
    h.caller_instance,
    h.callee_instance,
    h.peer,
    h.status,
    h.attempts,
    h.gap_ns,
    base.gap_kind_word(h.gap_kind) AS gap_kind,
    h.request_leg_ns,
    h.response_leg_ns,
    h.leg_error_ns,
    h.setup_ns,
    h.dns_ns,
    h.connect_ns,
    h.tls_ns,
    h.pool_wait_ns,
    h.send_ns,
    h.network_ns,
    h.server_queue_ns,
    h.transfer_ns,
    h.retry_ns,
    h.unexplained_ns,
    h.reused,
    base.joined_by_word(h.joined_by) AS joined_by,
    h.operation,
    h.error,
    h.start_ns,
    make_timestamp_ns(h.start_ns) AS start_at,
    h.duration_ns,
    h.server_ns,
    h."async",
    h.header_ns,
    h.bounded_ns,
    h.inferred_ns
FROM base.hops h
JOIN (
    SELECT request_no, base.request_text(trace_hi, trace_lo, entry_span_id) AS request_id FROM base.requests
) r USING (request_no)
LEFT JOIN (
    SELECT owner_no, seam, base.boundary(seam) AS boundary FROM base.owners
) o ON o.owner_no = h.seam_no;
