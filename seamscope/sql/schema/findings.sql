-- Things a person should act on, costliest first in the view.
CREATE TABLE base.findings (
    finding_id VARCHAR,
    rule UTINYINT,
    route VARCHAR,
    seam VARCHAR,
    since_ns BIGINT,
    until_ns BIGINT,
    requests BIGINT,
    cost_ns BIGINT,
    confidence DOUBLE,
    message VARCHAR,
    next_step VARCHAR
);
