-- Stretches by horizon, from the lists they are kept in: one that lies on both paths is two rows here. Where nothing
-- begins (kind 0), no kind is found.
CREATE OR REPLACE VIEW base.horizon_segments AS
SELECT s.request_no, k.horizon, s.start_ns, s.end_ns, s.span_id, s.call_id, k.owner_no, k.cause, k.evidence
FROM base.stretches s
JOIN base.segment_kinds k USING (kind_no);
