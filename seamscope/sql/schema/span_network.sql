-- What a span says of its connection; no row where it says nothing.
CREATE TABLE base.span_network (
    span_no BIGINT,
    url_full VARCHAR,
    network_peer VARCHAR,
    network_peer_port INTEGER,
    protocol_version VARCHAR,
    resend_count SMALLINT,
    first_byte_ns BIGINT,
    reused BOOLEAN,
    was_idle BOOLEAN,
    idle_ns BIGINT
);
