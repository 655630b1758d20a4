-- What a span says of a statement; no row where it says nothing.
CREATE TABLE base.span_database (
    span_no BIGINT,
    db_system VARCHAR,
    db_namespace VARCHAR,
    db_operation VARCHAR,
    db_collection VARCHAR,
    db_statement VARCHAR
);
