-- Stretches of every request's critical path as they are kept; base.segment_kinds says what kind_no means.
CREATE OR REPLACE VIEW base.stretches AS
SELECT
    request_no,
    start_ns,
    end_ns,
    coalesce(span_ids[place], 0) AS span_id,
    coalesce(span_ids[call_place[place]], 0) AS call_id,
    kind_no
FROM (
    SELECT
        request_no,
        span_ids,
        call_place,
        unnest(at_ns) AS start_ns,
        unnest(at_ns[2:]) AS end_ns,
        unnest(place) AS place,
        unnest(segment_kind) AS kind_no
    FROM base.request_lists
);
