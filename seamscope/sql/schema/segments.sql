-- The critical path of a request to each known horizon: disjoint, contiguous, summing to the horizon.
CREATE TABLE base.segments (
    request_no BIGINT,
    horizon UTINYINT,
    start_ns BIGINT,
    end_ns BIGINT,
    span_id UBIGINT,
    call_id UBIGINT,
    owner_no UINTEGER,
    cause UTINYINT,
    evidence UTINYINT
);
