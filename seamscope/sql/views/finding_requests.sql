-- The requests behind each finding and the spans that prove it.
CREATE OR REPLACE VIEW main.finding_requests AS
SELECT
    f.finding_id,
    base.request_text(r.trace_hi, r.trace_lo, r.entry_span_id) AS request_id,
    f.cost_ns,
    list_transform(f.span_ids, lambda id: base.span_text(id)) AS span_ids
FROM base.finding_requests f
JOIN base.requests r USING (request_no);
