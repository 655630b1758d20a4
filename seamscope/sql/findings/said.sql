-- What spans between two numbers tell by attributes that have no column.
SELECT
    s.span_no,
    base.attribute(
        s.attribute_keys, s.attribute_texts, s.correlation_id, s.platform_id, s.url_path, 'seamscope.cache.scope'
    ) AS cache_scope,
    base.attribute(
        s.attribute_keys, s.attribute_texts, s.correlation_id, s.platform_id, s.url_path, 'http.response.header.cache-control'
    ) AS cache_control,
    base.attribute(
        s.attribute_keys, s.attribute_texts, s.correlation_id, s.platform_id, s.url_path, 'seamscope.flag.outcome'
    ) AS flag_outcome
FROM base.shaped_spans s
WHERE
    s.span_no BETWEEN $first_span AND $last_span
    AND s.shape_no IN (
        SELECT shape_no FROM base.span_shapes
        WHERE
            contains(attribute_keys, 'seamscope.cache.scope')
            OR contains(attribute_keys, 'http.response.header.cache-control')
            OR contains(attribute_keys, 'seamscope.flag.outcome')
    )
