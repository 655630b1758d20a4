-- The number of the last commit of which anything is stored; a span's number begins with its commit's.
SELECT greatest(
    (SELECT last_commit_no FROM base.store),
    (SELECT coalesce(max(commit_no), 0) FROM base.span_rows),
    (SELECT coalesce(max(span_no), 0) // $rows_per_commit FROM base.span_texts),
    (SELECT coalesce(max(span_no), 0) // $rows_per_commit FROM base.span_details),
    (SELECT coalesce(max(commit_no), 0) FROM base.span_events),
    (SELECT coalesce(max(commit_no), 0) FROM base.span_links),
    (SELECT coalesce(max(commit_no), 0) FROM base.logs),
    (SELECT coalesce(max(commit_no), 0) FROM base.metric_points)
);
