-- What many calls told of one: a cause, how sure it is, and the statistic that carries it.
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
