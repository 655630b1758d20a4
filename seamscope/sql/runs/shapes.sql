-- What some spans share.
SELECT {columns}
FROM base.span_shapes
SEMI JOIN wanted USING (shape_no);
