-- The traces a request is spread over.
CREATE TABLE base.request_traces (
    request_no BIGINT,
    trace_hi UBIGINT,
    trace_lo UBIGINT,
    joined_by UTINYINT
);
