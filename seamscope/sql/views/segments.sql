-- The critical path of each request to each known horizon; times count from the request's start.
CREATE OR REPLACE VIEW main.segments AS
SELECT
    base.request_text(r.trace_hi, r.trace_lo, r.entry_span_id) AS request_id,
    base.horizon_word(s.horizon) AS horizon,
    s.start_ns,
    s.end_ns,
    base.span_text(s.span_id) AS span_id,
    o.owner,
    base.tier_word(o.tier) AS tier,
    o.service,
    o.seam,
    base.cause_word(s.cause) AS cause,
    base.evidence_word(s.evidence) AS evidence,
    base.span_text(s.call_id) AS call_id
FROM base.horizon_segments s
JOIN base.requests r USING (request_no)
LEFT JOIN base.owners o USING (owner_no);
