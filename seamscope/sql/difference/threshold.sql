-- The quantile of a horizon over a selection.
SELECT quantile_disc(r.{horizon}_ns, $quantile::DOUBLE) AS ns
FROM base.requests r
WHERE r.kind <> $other AND r.{horizon}_ns IS NOT NULL AND {where};
