-- A row per user-visible request, its horizons, and what held it.
CREATE OR REPLACE VIEW main.requests AS
SELECT
    base.request_text(r.trace_hi, r.trace_lo, r.entry_span_id) AS request_id,
    base.trace_text(r.trace_hi, r.trace_lo) AS trace_id,
    base.request_kind_word(r.kind) AS kind,
    r.route,
    r.method,
    r.status,
    r.environment,
    r.place,
    r.start_ns,
    make_timestamp_ns(r.start_ns) AS start_at,
    r.shell_ns,
    r.complete_ns,
    base.evidence_word(r.shell_evidence) AS shell_evidence,
    base.evidence_word(r.complete_evidence) AS complete_evidence,
    o.owner AS dominant_owner,
    base.cause_word(r.dominant_cause) AS dominant_cause,
    r.weight,
    r.final,
    r.revision,
    make_timestamp_ns(r.settled_ns) AS settled_at,
    r.service,
    r.service_version,
    r.correlation_id,
    r.spans,
    base.span_text(r.entry_span_id) AS entry_span_id,
    r.settled_ns
FROM base.requests r
LEFT JOIN base.owners o ON o.owner_no = r.dominant_owner_no;
