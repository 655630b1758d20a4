-- A row per log record.
CREATE TABLE base.logs (
    trace_hi UBIGINT,
    trace_lo UBIGINT,
    span_id UBIGINT,
    time_ns BIGINT,
    observed_ns BIGINT,
    severity UTINYINT,
    severity_text VARCHAR,
    event_name VARCHAR,
    body VARCHAR,
    resource_id UBIGINT,
    scope VARCHAR,
    correlation_id VARCHAR,
    platform_id VARCHAR,
    attributes STRUCT("key" VARCHAR, "value" VARCHAR)[],
    commit_no BIGINT,
    ingested_ns BIGINT
);
