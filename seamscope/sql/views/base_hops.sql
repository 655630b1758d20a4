-- Calls, put together again from the lists they are kept in (seamscope/store/lists.py) and from what many have in common.
-- A list that is not there says what follows from the rest. Every request has details here, most of them null: an outer
-- join is turned around where its right side is the larger, and then DuckDB 2.0 fails now and then at rows that have no
-- match ("global dictionary changed identity") and gives up on the whole file.
CREATE OR REPLACE VIEW base.hops AS
WITH details AS (
    SELECT * FROM base.hop_details
    UNION ALL BY NAME
    SELECT request_no FROM base.request_lists ANTI JOIN base.hop_details USING (request_no)
),

hop AS (
    SELECT
        l.*,
        d.* EXCLUDE (request_no),
        r.trace_hi AS own_trace_hi,
        r.trace_lo AS own_trace_lo,
        unnest(range(1, len(l.start_ns) + 1)) AS no
    FROM base.request_lists l
    JOIN base.requests r USING (request_no)
    JOIN details d USING (request_no)
),

read_off AS (
    SELECT
        request_no,
        CASE WHEN trace_hi IS NULL THEN own_trace_hi ELSE trace_hi[no] END AS trace_hi,
        CASE WHEN trace_lo IS NULL THEN own_trace_lo ELSE trace_lo[no] END AS trace_lo,
        coalesce(span_ids[client_place[no]], 0) AS client_span_id,
        coalesce(span_ids[server_place[no]], 0) AS server_span_id,
        hop_kind[no] AS kind_no,
        CASE WHEN error IS NULL THEN {hop_error} ELSE error[no] END AS error,
        CASE WHEN attempts IS NULL THEN {hop_attempts}::SMALLINT ELSE attempts[no] END AS attempts,
        start_ns[no] AS start_ns,
        duration_ns[no] AS duration_ns,
        server_ns[no] AS server_ns,
        gap_ns IS NULL AS gap_follows,
        gap_ns[no] AS gap_told,
        request_leg_ns[no] AS request_leg_ns,
        response_leg_ns IS NULL AS response_leg_follows,
        response_leg_ns[no] AS response_leg_told,
        leg_error_ns IS NULL AS leg_error_follows,
        leg_error_ns[no] AS leg_error_told,
        setup_ns[no] AS setup_ns,
        dns_ns[no] AS dns_ns,
        connect_ns[no] AS connect_ns,
        tls_ns[no] AS tls_ns,
        pool_wait_ns[no] AS pool_wait_ns,
        send_ns[no] AS send_ns,
        network_ns[no] AS network_ns,
        server_queue_ns[no] AS server_queue_ns,
        transfer_ns[no] AS transfer_ns,
        retry_ns[no] AS retry_ns,
        unexplained_ns IS NULL AS unexplained_follows,
        unexplained_ns[no] AS unexplained_told,
        header_ns[no] AS header_ns,
        bounded_ns[no] AS bounded_ns,
        inferred_ns IS NULL AS inferred_follows,
        inferred_ns[no] AS inferred_told,
        reused[no] AS reused,
        CASE WHEN joined_by IS NULL THEN {hop_joined_by}::UTINYINT ELSE joined_by[no] END AS joined_by,
        CASE WHEN "async" IS NULL THEN {hop_async} ELSE "async"[no] END AS "async"
    FROM hop
),

gaps AS (
    SELECT *, CASE WHEN gap_follows THEN {hop_gap_ns} ELSE gap_told END AS gap_ns FROM read_off
),

legs AS (
    SELECT *, CASE WHEN response_leg_follows THEN {hop_response_leg_ns} ELSE response_leg_told END AS response_leg_ns
    FROM gaps
    JOIN base.hop_kinds USING (kind_no)
)

SELECT
    request_no,
    trace_hi,
    trace_lo,
    client_span_id,
    server_span_id,
    seam_no,
    caller_instance,
    callee_instance,
    peer,
    operation,
    status,
    error,
    attempts,
    start_ns,
    duration_ns,
    server_ns,
    gap_ns,
    gap_kind,
    request_leg_ns,
    response_leg_ns,
    CASE WHEN leg_error_follows THEN {hop_leg_error_ns} ELSE leg_error_told END AS leg_error_ns,
    setup_ns,
    dns_ns,
    connect_ns,
    tls_ns,
    pool_wait_ns,
    send_ns,
    network_ns,
    server_queue_ns,
    transfer_ns,
    retry_ns,
    CASE WHEN unexplained_follows THEN {hop_unexplained_ns} ELSE unexplained_told END AS unexplained_ns,
    header_ns,
    bounded_ns,
    CASE WHEN inferred_follows THEN {hop_inferred_ns} ELSE inferred_told END AS inferred_ns,
    reused,
    joined_by,
    "async"
FROM legs;
