-- A row per accepted span, as received: what tells it from others. What it has in common with many is in
-- base.span_shapes. The views give ids as hex and codes as words.
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
    ingested_ns BIGINT
);
