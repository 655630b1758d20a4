-- The critical path of each request to each known horizon; times count from the request's start. What is a request's
-- is put to its lists before they become rows: DuckDB takes a list for one row when it orders joins.
CREATE OR REPLACE VIEW main.segments AS
WITH stretch AS (
    SELECT
        base.request_text(r.trace_hi, r.trace_lo, r.entry_span_id) AS request_id,
        unnest(l.at_ns) AS start_ns,
        unnest(l.at_ns[2:]) AS end_ns,
        unnest(base.at_places(l.span_ids, l.place)) AS span_id,
        unnest(base.at_places(l.span_ids, base.at_places(l.call_place, l.place))) AS call_id,
        unnest(l.segment_kind) AS kind_no
    FROM base.request_lists l
    JOIN base.requests r USING (request_no)
),

kind AS (
    SELECT
        k.kind_no,
        base.horizon_word(k.horizon) AS horizon,
        o.owner,
        base.tier_word(o.tier) AS tier,
        o.service,
        o.seam,
        base.cause_word(k.cause) AS cause,
        base.evidence_word(k.evidence) AS evidence
    FROM base.segment_kinds k
    LEFT JOIN base.owners o USING (owner_no)
)

SELECT
    s.request_id,
    k.horizon,
    s.start_ns,
    s.end_ns,
    base.span_text(coalesce(s.span_id, 0)) AS span_id,
    k.owner,
    k.tier,
    k.service,
    k.seam,
    k.cause,
    k.evidence,
    base.span_text(coalesce(s.call_id, 0)) AS call_id
FROM stretch s
JOIN kind k USING (kind_no);
