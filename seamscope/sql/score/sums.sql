-- Time per request, horizon, owner, cause and evidence.
SELECT request_id, horizon, owner, cause, evidence, sum(end_ns - start_ns)::BIGINT AS ns
FROM segments
GROUP BY ALL
