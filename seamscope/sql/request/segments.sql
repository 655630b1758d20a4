-- The critical path of one request to both horizons, in time order.
SELECT s.horizon, s.start_ns, s.end_ns, s.span_id, s.call_id, s.cause, s.evidence, o.owner, o.tier, o.service, o.seam
FROM base.horizon_segments s
JOIN base.owners o USING (owner_no)
WHERE s.request_no = $request_no
ORDER BY s.horizon, s.start_ns, s.end_ns
