-- Which rules hold for which requests.
SELECT DISTINCT q.request_id, f.rule
FROM finding_requests q
JOIN findings f USING (finding_id)
