-- Services whose callers were told of them: those that own something in stored results, by a tier that only their own
-- spans give where they have one. What a host is only taken for, by its name, is of no known tier.
SELECT DISTINCT r.service
FROM base.resources AS r
SEMI JOIN base.owners AS o
    ON o.service = r.service AND (o.tier <> $unknown OR coalesce(r.rule_tier, r.tier) = $unknown);
