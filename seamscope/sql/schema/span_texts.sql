-- Texts that few spans have, each its own; no row where a span has none.
CREATE TABLE base.span_texts (
    span_no BIGINT,
    status_message VARCHAR,
    trace_state VARCHAR,
    url_full VARCHAR,
    network_peer VARCHAR,
    db_statement VARCHAR,
    message_id VARCHAR
);
