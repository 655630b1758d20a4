-- When the requests of a selection started.
SELECT min(r.start_ns) AS first_ns, max(r.start_ns) AS last_ns FROM base.requests r WHERE r.kind <> $other AND {where}
