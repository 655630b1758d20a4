-- A row per event of a span.
CREATE TABLE base.span_events (
    trace_hi UBIGINT,
    trace_lo UBIGINT,
    span_id UBIGINT,
    kind UTINYINT,
    at_ns BIGINT,
    name VARCHAR,
    attributes STRUCT("key" VARCHAR, "value" VARCHAR)[],
    commit_no BIGINT
);
