-- The stretches of $window_ns from the epoch on in which any stored span starts.
SELECT DISTINCT start_ns // $window_ns AS number
FROM base.span_rows;
