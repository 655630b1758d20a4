-- Everyone who ever sent spans.
SELECT
    resource_id,
    service,
    service_version,
    environment,
    instance,
    pooled,
    place,
    tier,
    sdk
FROM base.resources;
