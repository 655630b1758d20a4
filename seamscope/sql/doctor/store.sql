-- What a store says of itself: who wrote it, how much is in it, and from when to when.
SELECT s.schema_version, s.written_by, s.created_ns,
    (SELECT count(*) FROM base.span_rows) AS spans,
    (SELECT count(*) FROM base.resources) AS resources,
    (SELECT count(*) FROM base.logs) AS logs,
    (SELECT count(*) FROM base.requests) AS requests,
    (SELECT count(*) FROM base.warnings) AS warnings,
    (
        SELECT count(DISTINCT (trace_hi, trace_lo)) FROM base.warnings
        WHERE base.warning_word(code) = 'stage_failed' AND (trace_hi <> 0 OR trace_lo <> 0)
    ) AS set_aside,
    greatest(
        (SELECT max(commit_no) FROM base.span_rows),
        (SELECT max(commit_no) FROM base.logs),
        (SELECT max(commit_no) FROM base.metric_points)
    ) AS commits,
    (SELECT min(start_ns) FROM base.span_rows) AS oldest_ns,
    (SELECT max(start_ns) FROM base.span_rows) AS newest_ns,
    d.block_size * d.total_blocks AS file_bytes,
    d.block_size * d.free_blocks AS free_bytes
FROM base.store s, (SELECT * FROM pragma_database_size() WHERE database_name = current_database()) d
