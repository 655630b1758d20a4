-- What is odd in the data: what was repaired, cut, withheld or set aside.
CREATE OR REPLACE VIEW main.warnings AS
SELECT
    base.trace_text(w.trace_hi, w.trace_lo) AS trace_id,
    base.span_text(w.span_id) AS span_id,
    base.warning_word(w.code) AS code,
    w.detail,
    base.request_text(r.trace_hi, r.trace_lo, r.entry_span_id) AS request_id
FROM base.warnings w
LEFT JOIN base.requests r USING (request_no);
