-- One row about the file itself: which release's tables it has, and the numbers that are never given twice.
CREATE TABLE base.store (
    schema_version INTEGER,
    views_digest VARCHAR,
    written_by VARCHAR,
    created_ns BIGINT,
    last_commit_no BIGINT,
    last_request_no BIGINT
);
