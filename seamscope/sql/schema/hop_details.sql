-- What not every hop tells, as lists beside those of base.request_lists; a list is null where it would only say what
-- seamscope/store/lists.py (`FOLLOWS`) says anyway, and there is no row where all are.
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
