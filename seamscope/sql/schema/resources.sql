-- A row per distinct resource. rule_tier is the operator's word on the service (seamscope.toml), null without one.
CREATE TABLE base.resources (
    resource_id UBIGINT,
    service VARCHAR,
    service_version VARCHAR,
    environment VARCHAR,
    instance VARCHAR,
    pooled BOOLEAN,
    place VARCHAR,
    tier UTINYINT,
    language VARCHAR,
    sdk VARCHAR,
    attributes STRUCT("key" VARCHAR, "value" VARCHAR)[],
    rule_tier UTINYINT
);
