-- A row per distinct resource (service instance) that sent something.
CREATE OR REPLACE VIEW main.resources AS
SELECT
    base.span_text(resource_id) AS resource_id,
    service,
    service_version,
    environment,
    instance,
    pooled,
    place,
    base.tier_word(coalesce(rule_tier, tier, 0)) AS tier,
    language,
    sdk,
    attributes
FROM base.resources;
