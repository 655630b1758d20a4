-- The traces that a request is spread over, and what joined them.
CREATE OR REPLACE VIEW main.request_traces AS
SELECT
    base.request_text(r.trace_hi, r.trace_lo, r.entry_span_id) AS request_id,
    base.trace_text(t.trace_hi, t.trace_lo) AS trace_id,
    base.joined_by_word(t.joined_by) AS joined_by
FROM base.request_traces t
JOIN base.requests r USING (request_no);
