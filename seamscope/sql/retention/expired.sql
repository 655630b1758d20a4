-- The last commit that is expired: neither it nor any before it came at $since_ns or later, so that a clock that was
-- set back for a while lets nothing go early.
SELECT coalesce(
    (SELECT min(commit_no) - 1 FROM base.span_rows WHERE ingested_ns >= $since_ns),
    (SELECT max(commit_no) FROM base.span_rows),
    0
) AS upto;
