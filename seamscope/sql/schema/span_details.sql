-- Numbers that few spans tell; no row where a span tells none.
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
