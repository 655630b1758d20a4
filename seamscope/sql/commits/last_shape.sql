-- The greatest number that a shape has or a span points to: where shapes were lost, their numbers are not given again.
SELECT greatest(
    (SELECT coalesce(max(shape_no), 0) FROM base.span_shapes),
    (SELECT coalesce(max(shape_no), 0) FROM base.span_rows)
);
