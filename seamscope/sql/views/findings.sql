-- What a person should act on, with its cost and the next step.
CREATE OR REPLACE VIEW main.findings AS
SELECT
    finding_id,
    base.finding_word(rule) AS rule,
    route,
    seam,
    make_timestamp_ns(since_ns) AS since,
    make_timestamp_ns(until_ns) AS until,
    requests,
    cost_ns,
    confidence,
    message,
    next_step
FROM base.findings;
