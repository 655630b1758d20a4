-- One value per request: the entry span's, else its resource's, else that of the first span that carries the key.
SELECT p.request_no, arg_min(found.value, found.place) AS key
FROM picked p
LEFT JOIN (
    SELECT t.request_no, row(CASE WHEN x.span_id = q.entry_span_id THEN 0 ELSE 2 END, x.start_ns, x.span_id) AS place,
        base.attribute(
            x.attribute_keys, x.attribute_texts, x.correlation_id, x.platform_id, x.url_path, $attribute
        ) AS value
    FROM picked q
    JOIN base.request_traces t USING (request_no)
    JOIN base.shaped_spans x ON x.trace_hi = t.trace_hi AND x.trace_lo = t.trace_lo
    WHERE value IS NOT NULL
    UNION ALL
    SELECT q.request_no, row(1, x.start_ns, x.span_id),
        attr(z.attributes, $attribute) AS value
    FROM picked q
    JOIN base.shaped_spans x ON x.trace_hi = q.trace_hi AND x.trace_lo = q.trace_lo AND x.span_id = q.entry_span_id
    JOIN base.resources z USING (resource_id)
    WHERE value IS NOT NULL
) found USING (request_no)
GROUP BY p.request_no
