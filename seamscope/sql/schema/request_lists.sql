-- What a request consists of, as lists in one row: its critical path, its hops, and the ids of the spans both name.
-- Lists have no row of their own to be numbered, and an id that forty stretches name is kept once
-- (seamscope/store/lists.py).
CREATE TABLE base.request_lists (
    request_no BIGINT,
    at_ns BIGINT[], -- where stretches begin, from the request's start; each ends where the next one begins
    segment_kind UINTEGER[], -- of each stretch, base.segment_kinds.kind_no; 0: nothing begins here
    place UINTEGER[], -- of each stretch, the position of its span in span_ids, from 1; 0: no span
    span_ids UBIGINT[],
    call_place UINTEGER[], -- of each span_id, the position of the call that its stretches lie in; 0: none
    client_place UINTEGER[], -- from here on: of each hop
    server_place UINTEGER[],
    hop_kind UINTEGER[], -- base.hop_kinds.kind_no
    start_ns BIGINT[],
    duration_ns BIGINT[],
    server_ns BIGINT[],
    request_leg_ns BIGINT[],
    pool_wait_ns BIGINT[],
    network_ns BIGINT[]
);
