-- Calls of the chosen requests.
SELECT
    h.request_no,
    hash(h.trace_hi, h.trace_lo) AS trace_id,
    h.client_span_id,
    nullif(h.server_span_id, 0) AS server_span_id,
    o.seam,
    h.caller_instance,
    h.peer,
    h.operation,
    h.error,
    h.attempts,
    h.start_ns,
    h.duration_ns,
    h.request_leg_ns,
    h.setup_ns,
    h.dns_ns,
    h.connect_ns,
    h.tls_ns,
    h.pool_wait_ns,
    h.network_ns,
    h.server_queue_ns,
    h.retry_ns,
    h.inferred_ns,
    h.reused,
    base.joined_by_word(h.joined_by) AS joined_by,
    h."async"
FROM base.hops h
JOIN base.requests r USING (request_no)
JOIN base.owners o ON o.owner_no = h.seam_no
WHERE {chosen}
