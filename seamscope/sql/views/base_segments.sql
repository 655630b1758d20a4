-- Stretches once each: bit 0 of horizons says that one is on the shell's path, bit 1 on complete's.
CREATE OR REPLACE VIEW base.segments AS
WITH kind AS (
    SELECT kind_no, sum(1 << horizon)::UTINYINT AS horizons, owner_no, cause, evidence
    FROM base.segment_kinds
    GROUP BY kind_no, owner_no, cause, evidence
)

SELECT s.request_no, k.horizons, s.start_ns, s.end_ns, s.span_id, s.call_id, k.owner_no, k.cause, k.evidence
FROM base.stretches s
JOIN kind k USING (kind_no);
