-- Schema 5 to 6: what spans share is kept once, and what few have in other tables.
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
INSERT INTO base.span_shapes
SELECT
    row_number() OVER () AS shape_no,
    *
FROM (
    SELECT DISTINCT
        s.kind, s.flags, s.status, s.weight, s.resource_id, s.scope, s.scope_version, s.role, s.extent, s.tier_hint,
        s.grain_ns, s.operation, s.method, s.route, s.http_status, s.peer, s.peer_port, n.protocol_version,
        n.resend_count, f.rpc_system, f.rpc_method, f.rpc_status, d.db_system, d.db_namespace, d.db_operation,
        d.db_collection, f.messaging_system, f.messaging_operation, f.messaging_destination, f.place, f.cache_status,
        f.cache_reason, f.error_type, n.reused, n.was_idle, f.cold_start, f.essential, s.attribute_keys,
        s.dropped_attributes
    FROM base.span_rows AS s
    LEFT JOIN base.span_network AS n USING (span_no)
    LEFT JOIN base.span_database AS d USING (span_no)
    LEFT JOIN base.span_details AS f USING (span_no)
) AS each_once;

CREATE TABLE base.span_texts (
    span_no BIGINT,
    status_message VARCHAR,
    trace_state VARCHAR,
    url_full VARCHAR,
    network_peer VARCHAR,
    db_statement VARCHAR,
    message_id VARCHAR
);
INSERT INTO base.span_texts
SELECT
    s.span_no,
    f.status_message, f.trace_state, n.url_full, n.network_peer, d.db_statement, f.message_id
FROM base.span_rows AS s
LEFT JOIN base.span_network AS n USING (span_no)
LEFT JOIN base.span_database AS d USING (span_no)
LEFT JOIN base.span_details AS f USING (span_no)
WHERE coalesce(f.status_message, f.trace_state, n.url_full, n.network_peer, d.db_statement, f.message_id) IS NOT NULL;

CREATE TABLE base.few_numbers (
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
INSERT INTO base.few_numbers
SELECT
    s.span_no,
    n.network_peer_port, f.enqueued_ns, f.pool_wait_ns, f.dns_ns, f.connect_ns, f.tls_ns, f.send_ns, n.first_byte_ns,
    f.transfer_ns, f.queued_at_ns, n.idle_ns, f.cpu_ns, f.wall_ns, f.sequence, f.engine_ns
FROM base.span_rows AS s
LEFT JOIN base.span_network AS n USING (span_no)
LEFT JOIN base.span_database AS d USING (span_no)
LEFT JOIN base.span_details AS f USING (span_no)
WHERE coalesce(
    n.network_peer_port, f.enqueued_ns, f.pool_wait_ns, f.dns_ns, f.connect_ns, f.tls_ns, f.send_ns,
    n.first_byte_ns, f.transfer_ns, f.queued_at_ns, n.idle_ns, f.cpu_ns, f.wall_ns, f.sequence, f.engine_ns
) IS NOT NULL;

CREATE TABLE base.rows_apart (
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
INSERT INTO base.rows_apart
SELECT
    s.span_no, s.trace_hi, s.trace_lo, s.span_id, s.parent_id, h.shape_no, s.start_ns, s.end_ns, s.name, s.url_path,
    s.correlation_id, s.platform_id, s.attribute_texts, s.commit_no, s.ingested_ns
FROM base.span_rows AS s
LEFT JOIN base.span_network AS n USING (span_no)
LEFT JOIN base.span_database AS d USING (span_no)
LEFT JOIN base.span_details AS f USING (span_no)
JOIN base.span_shapes AS h ON row(
    h.kind, h.flags, h.status, h.weight, h.resource_id, h.scope, h.scope_version, h.role, h.extent, h.tier_hint,
    h.grain_ns, h.operation, h.method, h.route, h.http_status, h.peer, h.peer_port, h.protocol_version,
    h.resend_count, h.rpc_system, h.rpc_method, h.rpc_status, h.db_system, h.db_namespace, h.db_operation,
    h.db_collection, h.messaging_system, h.messaging_operation, h.messaging_destination, h.place, h.cache_status,
    h.cache_reason, h.error_type, h.reused, h.was_idle, h.cold_start, h.essential, h.attribute_keys,
    h.dropped_attributes
) = row(
    s.kind, s.flags, s.status, s.weight, s.resource_id, s.scope, s.scope_version, s.role, s.extent, s.tier_hint,
    s.grain_ns, s.operation, s.method, s.route, s.http_status, s.peer, s.peer_port, n.protocol_version,
    n.resend_count, f.rpc_system, f.rpc_method, f.rpc_status, d.db_system, d.db_namespace, d.db_operation,
    d.db_collection, f.messaging_system, f.messaging_operation, f.messaging_destination, f.place, f.cache_status,
    f.cache_reason, f.error_type, n.reused, n.was_idle, f.cold_start, f.essential, s.attribute_keys,
    s.dropped_attributes
)
ORDER BY s.span_no;

DROP TABLE base.span_rows;
DROP TABLE base.span_network;
DROP TABLE base.span_database;
DROP TABLE base.span_details;
ALTER TABLE base.rows_apart RENAME TO span_rows;
ALTER TABLE base.few_numbers RENAME TO span_details;
