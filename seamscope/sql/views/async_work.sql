-- Work that a request caused and did not wait for.
CREATE OR REPLACE VIEW main.async_work AS
SELECT
    base.request_text(r.trace_hi, r.trace_lo, r.entry_span_id) AS request_id,
    base.trace_text(a.trace_hi, a.trace_lo) AS trace_id,
    base.span_text(a.span_id) AS span_id,
    a.queue_wait_ns,
    a.link
FROM base.async_work a
JOIN base.requests r USING (request_no);
