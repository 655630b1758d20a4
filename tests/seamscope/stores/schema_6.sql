-- The tables of schema 6, as the release with that schema made them.
CREATE SCHEMA IF NOT EXISTS base;
CREATE TABLE base.store (
    schema_version INTEGER,
    views_digest VARCHAR,
    written_by VARCHAR,
    created_ns BIGINT,
    last_commit_no BIGINT,
    last_request_no BIGINT
);
CREATE TABLE base.span_rows (
    span_no BIGINT,
    trace_hi UBIGINT,
    trace_lo UBIGINT,
    span_id UBIGINT,
    parent_id UBIGINT,
    shape_no BIGINT,
    start_ns BIGINT,
    end_ns BIGINT,
    name VARCHAR,
    url_path VARCHAR,
    correlation_id VARCHAR,
    platform_id VARCHAR,
    attribute_texts VARCHAR USING COMPRESSION zstd,
    commit_no BIGINT,
    ingested_ns BIGINT
);
CREATE TABLE base.span_shapes (
    shape_no BIGINT,
    kind UTINYINT,
    flags UINTEGER,
    status UTINYINT,
    weight DOUBLE,
    resource_id UBIGINT,
    scope VARCHAR,
    scope_version VARCHAR,
    role UTINYINT,
    extent UTINYINT,
    tier_hint UTINYINT,
    grain_ns UINTEGER,
    operation VARCHAR,
    method VARCHAR,
    route VARCHAR,
    http_status SMALLINT,
    peer VARCHAR,
    peer_port INTEGER,
    protocol_version VARCHAR,
    resend_count SMALLINT,
    rpc_system VARCHAR,
    rpc_method VARCHAR,
    rpc_status VARCHAR,
    db_system VARCHAR,
    db_namespace VARCHAR,
    db_operation VARCHAR,
    db_collection VARCHAR,
    messaging_system VARCHAR,
    messaging_operation VARCHAR,
    messaging_destination VARCHAR,
    place VARCHAR,
    cache_status VARCHAR,
    cache_reason VARCHAR,
    error_type VARCHAR,
    reused BOOLEAN,
    was_idle BOOLEAN,
    cold_start BOOLEAN,
    essential BOOLEAN,
    attribute_keys VARCHAR,
    dropped_attributes UINTEGER
);
CREATE TABLE base.span_texts (
    span_no BIGINT,
    status_message VARCHAR,
    trace_state VARCHAR,
    url_full VARCHAR,
    network_peer VARCHAR,
    db_statement VARCHAR,
    message_id VARCHAR
);
CREATE TABLE base.span_details (
    span_no BIGINT,
    network_peer_port INTEGER,
    enqueued_ns BIGINT,
    pool_wait_ns BIGINT,
    dns_ns BIGINT,
    connect_ns BIGINT,
    tls_ns BIGINT,
    send_ns BIGINT,
    first_byte_ns BIGINT,
    transfer_ns BIGINT,
    queued_at_ns BIGINT,
    idle_ns BIGINT,
    cpu_ns BIGINT,
    wall_ns BIGINT,
    sequence BIGINT,
    engine_ns BIGINT
);
CREATE TABLE base.resources (
    resource_id UBIGINT,
    service VARCHAR,
    service_version VARCHAR,
    environment VARCHAR,
    instance VARCHAR,
    pooled BOOLEAN,
    place VARCHAR,
    tier UTINYINT,
    language VARCHAR,
    sdk VARCHAR,
    attributes STRUCT("key" VARCHAR, "value" VARCHAR)[],
    rule_tier UTINYINT
);
CREATE TABLE base.span_events (
    trace_hi UBIGINT,
    trace_lo UBIGINT,
    span_id UBIGINT,
    kind UTINYINT,
    at_ns BIGINT,
    name VARCHAR,
    attributes STRUCT("key" VARCHAR, "value" VARCHAR)[],
    commit_no BIGINT
);
CREATE TABLE base.span_links (
    trace_hi UBIGINT,
    trace_lo UBIGINT,
    span_id UBIGINT,
    kind UTINYINT,
    linked_trace_hi UBIGINT,
    linked_trace_lo UBIGINT,
    linked_span_id UBIGINT,
    flags UINTEGER,
    attributes STRUCT("key" VARCHAR, "value" VARCHAR)[],
    commit_no BIGINT
);
CREATE TABLE base.logs (
    trace_hi UBIGINT,
    trace_lo UBIGINT,
    span_id UBIGINT,
    time_ns BIGINT,
    observed_ns BIGINT,
    severity UTINYINT,
    severity_text VARCHAR,
    event_name VARCHAR,
    body VARCHAR,
    resource_id UBIGINT,
    scope VARCHAR,
    correlation_id VARCHAR,
    platform_id VARCHAR,
    attributes STRUCT("key" VARCHAR, "value" VARCHAR)[],
    commit_no BIGINT,
    ingested_ns BIGINT
);
CREATE TABLE IF NOT EXISTS base.metric_points (
    resource_id UBIGINT,
    scope VARCHAR,
    instrument VARCHAR,
    subject VARCHAR,
    measure VARCHAR,
    pool VARCHAR,
    state VARCHAR,
    peer VARCHAR,
    peer_port INTEGER,
    cumulative BOOLEAN,
    started_ns BIGINT,
    time_ns BIGINT,
    value DOUBLE,
    count BIGINT,
    sum DOUBLE,
    min DOUBLE,
    max DOUBLE,
    attributes STRUCT("key" VARCHAR, "value" VARCHAR)[],
    commit_no BIGINT,
    ingested_ns BIGINT
);
CREATE TABLE base.owners (
    owner_no UINTEGER,
    owner VARCHAR,
    tier UTINYINT,
    service VARCHAR,
    seam VARCHAR
);
CREATE TABLE base.requests (
    request_no BIGINT,
    trace_hi UBIGINT,
    trace_lo UBIGINT,
    entry_span_id UBIGINT,
    kind UTINYINT,
    service VARCHAR,
    route VARCHAR,
    method VARCHAR,
    status SMALLINT,
    environment VARCHAR,
    place VARCHAR,
    service_version VARCHAR,
    correlation_id VARCHAR,
    start_ns BIGINT,
    shell_ns BIGINT,
    complete_ns BIGINT,
    shell_evidence UTINYINT,
    complete_evidence UTINYINT,
    dominant_owner_no UINTEGER,
    dominant_cause UTINYINT,
    weight DOUBLE,
    spans INTEGER,
    final BOOLEAN,
    revision INTEGER,
    settled_ns BIGINT
);
CREATE TABLE base.request_traces (
    request_no BIGINT,
    trace_hi UBIGINT,
    trace_lo UBIGINT,
    joined_by UTINYINT
);
CREATE TABLE base.segment_kinds (
    kind_no UINTEGER,
    horizon UTINYINT,
    owner_no UINTEGER,
    cause UTINYINT,
    evidence UTINYINT
);
CREATE TABLE base.request_lists (
    request_no BIGINT,
    at_ns BIGINT[], -- where stretches begin, from the request's start; each ends where the next one begins
    segment_kind UINTEGER[], -- of each stretch, base.segment_kinds.kind_no; 0: nothing begins here
    place UINTEGER[], -- of each stretch, the position of its span in span_ids, from 1; 0: no span
    span_ids UBIGINT[],
    call_place UINTEGER[], -- of each span_id, the position of the call that its stretches lie in; 0: none
    client_place UINTEGER[], -- from here on: of each hop
    server_place UINTEGER[],
    seam_no UINTEGER[],
    caller_instance VARCHAR[],
    callee_instance VARCHAR[],
    peer VARCHAR[],
    operation VARCHAR[],
    status SMALLINT[],
    gap_kind UTINYINT[],
    start_ns BIGINT[],
    duration_ns BIGINT[],
    server_ns BIGINT[],
    request_leg_ns BIGINT[],
    pool_wait_ns BIGINT[],
    network_ns BIGINT[]
);
CREATE TABLE base.hop_details (
    request_no BIGINT,
    trace_hi UBIGINT[],
    trace_lo UBIGINT[],
    error BOOLEAN[],
    attempts SMALLINT[],
    gap_ns BIGINT[],
    response_leg_ns BIGINT[],
    leg_error_ns BIGINT[],
    setup_ns BIGINT[],
    dns_ns BIGINT[],
    connect_ns BIGINT[],
    tls_ns BIGINT[],
    send_ns BIGINT[],
    server_queue_ns BIGINT[],
    transfer_ns BIGINT[],
    retry_ns BIGINT[],
    unexplained_ns BIGINT[],
    header_ns BIGINT[],
    bounded_ns BIGINT[],
    inferred_ns BIGINT[],
    reused BOOLEAN[],
    joined_by UTINYINT[],
    "async" BOOLEAN[]
);
CREATE TABLE base.warnings (
    request_no BIGINT,
    trace_hi UBIGINT,
    trace_lo UBIGINT,
    span_id UBIGINT,
    code UTINYINT,
    detail VARCHAR
);
CREATE TABLE base.async_work (
    request_no BIGINT,
    trace_hi UBIGINT,
    trace_lo UBIGINT,
    span_id UBIGINT,
    queue_wait_ns BIGINT,
    link VARCHAR
);
CREATE TABLE base.inferences (
    request_no BIGINT,
    trace_hi UBIGINT,
    trace_lo UBIGINT,
    client_span_id UBIGINT,
    cause UTINYINT,
    ns BIGINT,
    confidence DOUBLE,
    statistic VARCHAR
);
CREATE TABLE base.windows (
    start_ns BIGINT,
    end_ns BIGINT
);
CREATE TABLE base.findings (
    finding_id VARCHAR,
    rule UTINYINT,
    route VARCHAR,
    seam VARCHAR,
    since_ns BIGINT,
    until_ns BIGINT,
    requests BIGINT,
    cost_ns BIGINT,
    confidence DOUBLE,
    message VARCHAR,
    next_step VARCHAR
);
CREATE TABLE base.finding_requests (
    finding_id VARCHAR,
    request_no BIGINT,
    cost_ns BIGINT,
    span_ids UBIGINT[]
);
