-- A row per data point of the instruments that explain seams.
CREATE TABLE IF NOT EXISTS base.metric_points (
    resource_id UBIGINT,
    scope VARCHAR,
    instrument VARCHAR,
    subject VARCHAR,
    measure VARCHAR,
    pool VARCHAR,
    state VARCHAR,
    peer VARCHAR,
    peer_port INTEGER,
    cumulative BOOLEAN,
    started_ns BIGINT,
    time_ns BIGINT,
    value DOUBLE,
    count BIGINT,
    sum DOUBLE,
    min DOUBLE,
    max DOUBLE,
    attributes STRUCT("key" VARCHAR, "value" VARCHAR)[],
    commit_no BIGINT,
    ingested_ns BIGINT
);
