-- What many calls told of this request's calls, those of most time first.
SELECT
    base.span_text(i.client_span_id) AS client_span_id,
    any_value(h.operation) AS operation,
    base.cause_word(i.cause) AS cause,
    i.ns,
    i.confidence,
    i.statistic
FROM base.inferences i
LEFT JOIN base.hops h ON h.request_no = i.request_no AND h.client_span_id = i.client_span_id
WHERE i.request_no = $request_no
GROUP BY i.client_span_id, i.cause, i.ns, i.confidence, i.statistic
ORDER BY i.ns DESC, i.client_span_id, i.cause
