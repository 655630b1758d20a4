-- A row per accepted span, as received: what tells it from others. What it has in common with many is in
-- base.span_shapes. The views give ids as hex and codes as words. A correlation id of 128 bits in hex is
-- correlation_uuid, in the form that its shape says (1: 32 digits, 2: with dashes); any other is correlation_id.
CREATE TABLE base.span_rows (
    span_no BIGINT,
    trace_hi UBIGINT,
    trace_lo UBIGINT,
    span_id UBIGINT,
    parent_id UBIGINT,
    shape_no BIGINT,
    start_ns BIGINT,
    end_ns BIGINT,
    name VARCHAR,
    url_path VARCHAR,
    correlation_id VARCHAR,
    platform_id VARCHAR,
    attribute_texts VARCHAR USING COMPRESSION zstd,
    commit_no BIGINT,
    ingested_ns BIGINT,
    correlation_uuid UUID
);
