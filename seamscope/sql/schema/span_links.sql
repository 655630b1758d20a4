-- A row per link of a span.
CREATE TABLE base.span_links (
    trace_hi UBIGINT,
    trace_lo UBIGINT,
    span_id UBIGINT,
    kind UTINYINT,
    linked_trace_hi UBIGINT,
    linked_trace_lo UBIGINT,
    linked_span_id UBIGINT,
    flags UINTEGER,
    attributes STRUCT("key" VARCHAR, "value" VARCHAR)[],
    commit_no BIGINT
);
