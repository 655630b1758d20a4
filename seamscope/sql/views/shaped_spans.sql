-- Spans with what they share (`seamscope.store.shapes`), without the texts and numbers that few have.
CREATE OR REPLACE VIEW base.shaped_spans AS
SELECT
    s.* EXCLUDE (correlation_uuid) REPLACE (
        base.correlation_text(h.correlation_form, s.correlation_uuid, s.correlation_id) AS correlation_id
    ),
    h.* EXCLUDE (shape_no, correlation_form)
FROM base.span_rows s
LEFT JOIN base.span_shapes h USING (shape_no);
