-- Stretches of every request's critical path as they are kept; base.segment_kinds says what kind_no means.
CREATE OR REPLACE VIEW base.stretches AS
SELECT request_no, start_ns, end_ns, coalesce(span_id, 0) AS span_id, coalesce(call_id, 0) AS call_id, kind_no
FROM (
    SELECT
        request_no,
        unnest(at_ns) AS start_ns,
        unnest(at_ns[2:]) AS end_ns,
        unnest(base.at_places(span_ids, place)) AS span_id,
        unnest(base.at_places(span_ids, base.at_places(call_place, place))) AS call_id,
        unnest(segment_kind) AS kind_no
    FROM base.request_lists
);
