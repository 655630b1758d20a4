-- The requests behind a finding, what it cost each, and the spans that prove it.
CREATE TABLE base.finding_requests (
    finding_id VARCHAR,
    request_no BIGINT,
    cost_ns BIGINT,
    span_ids UBIGINT[]
);
