-- Work that requests caused and did not wait for.
CREATE TABLE base.async_work (
    request_no BIGINT,
    trace_hi UBIGINT,
    trace_lo UBIGINT,
    span_id UBIGINT,
    queue_wait_ns BIGINT,
    link VARCHAR
);
