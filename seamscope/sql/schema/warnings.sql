-- What is odd in the data.
CREATE TABLE base.warnings (
    request_no BIGINT,
    trace_hi UBIGINT,
    trace_lo UBIGINT,
    span_id UBIGINT,
    code UTINYINT,
    detail VARCHAR
);
