-- Findings that hold for requests of a selection, with their requests and cost there, costliest first.
SELECT
    f.finding_id,
    base.finding_word(f.rule) AS rule,
    f.route,
    f.seam,
    min(r.start_ns) AS since_ns,
    max(r.start_ns) AS until_ns,
    count(*) AS requests,
    least(sum(q.cost_ns), 9223372036854775807)::BIGINT AS cost_ns,
    f.confidence,
    f.message,
    f.next_step,
    f.requests AS requests_in_all
FROM base.findings f
JOIN base.finding_requests q USING (finding_id)
JOIN base.requests r USING (request_no)
WHERE ({where})
    AND ($rule IS NULL OR base.finding_word(f.rule) = $rule)
    AND ($finding_id IS NULL OR starts_with(f.finding_id, $finding_id))
GROUP BY ALL
ORDER BY cost_ns DESC, requests DESC, f.finding_id
