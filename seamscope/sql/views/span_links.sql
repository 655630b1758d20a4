-- A row per link from one span to another.
CREATE OR REPLACE VIEW main.span_links AS
SELECT
    base.trace_text(trace_hi, trace_lo) AS trace_id,
    base.span_text(span_id) AS span_id,
    base.span_kind_word(kind) AS kind,
    base.trace_text(linked_trace_hi, linked_trace_lo) AS linked_trace_id,
    base.span_text(linked_span_id) AS linked_span_id,
    flags,
    attributes
FROM base.span_links;
