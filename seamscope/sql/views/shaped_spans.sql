-- Spans with what they share (`seamscope.store.shapes`), without the texts and numbers that few have.
CREATE OR REPLACE VIEW base.shaped_spans AS
SELECT s.*, h.* EXCLUDE (shape_no)
FROM base.span_rows s
LEFT JOIN base.span_shapes h USING (shape_no);
