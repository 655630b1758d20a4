-- The phases of a call that are known; no row where none is.
CREATE TABLE base.hop_phases (
    hop_no BIGINT,
    request_no BIGINT,
    setup_ns BIGINT,
    dns_ns BIGINT,
    connect_ns BIGINT,
    tls_ns BIGINT,
    send_ns BIGINT,
    server_queue_ns BIGINT,
    transfer_ns BIGINT,
    retry_ns BIGINT,
    header_ns BIGINT,
    bounded_ns BIGINT,
    reused BOOLEAN
);
