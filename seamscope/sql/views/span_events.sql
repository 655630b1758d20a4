-- A row per event of a span.
CREATE OR REPLACE VIEW main.span_events AS
SELECT
    base.trace_text(trace_hi, trace_lo) AS trace_id,
    base.span_text(span_id) AS span_id,
    base.span_kind_word(kind) AS kind,
    at_ns,
    make_timestamp_ns(at_ns) AS "at",
    name,
    attributes
FROM base.span_events;
