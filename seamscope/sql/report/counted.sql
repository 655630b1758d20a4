-- What the figures of a selection leave out or should be read with, counted.
SELECT count(*) FILTER (r.kind <> $other) AS requests,
    count(*) FILTER (r.kind = $other) AS other,
    count(*) FILTER (r.kind <> $other AND r.shell_ns IS NULL) AS shell_not_known,
    count(*) FILTER (r.kind <> $other AND r.complete_ns IS NULL) AS complete_not_known,
    count(*) FILTER (r.kind <> $other AND NOT r.final) AS not_final,
    count(*) FILTER (r.kind <> $other AND r.weight <> 1) AS weighted
FROM base.requests r
WHERE {where}
