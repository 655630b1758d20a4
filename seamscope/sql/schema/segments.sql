-- The critical path of a request to each known horizon: disjoint, contiguous, summing to the horizon. A stretch that
-- lies on both paths is one row: bit 0 of `horizons` is shell, bit 1 complete.
CREATE TABLE base.segments (
    request_no BIGINT,
    horizons UTINYINT,
    start_ns BIGINT,
    end_ns BIGINT,
    span_id UBIGINT,
    call_id UBIGINT,
    owner_no UINTEGER,
    cause UTINYINT,
    evidence UTINYINT
);
