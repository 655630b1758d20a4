-- What many calls told of one: a cause, how sure it is (0 to 1), and the statistic that carries it.
CREATE OR REPLACE VIEW main.inferences AS
SELECT
    base.request_text(r.trace_hi, r.trace_lo, r.entry_span_id) AS request_id,
    base.trace_text(i.trace_hi, i.trace_lo) AS trace_id,
    base.span_text(i.client_span_id) AS client_span_id,
    base.cause_word(i.cause) AS cause,
    i.ns,
    i.confidence,
    i.statistic
FROM base.inferences i
JOIN base.requests r USING (request_no);
