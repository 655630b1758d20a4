-- What spans between two numbers tell by attributes that have no column. To ask for each key by itself is quicker where
-- there are many spans, and takes four times as long to plan.
WITH told AS MATERIALIZED (
    SELECT
        s.span_no,
        list_filter(
            base.pairs(s.attribute_keys, s.attribute_texts, s.correlation_id, s.platform_id, s.url_path),
            lambda pair: pair.key IN (
                'seamscope.cache.scope', 'http.response.header.cache-control', 'seamscope.flag.outcome'
            )
        ) AS attributes
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
)

SELECT
    span_no,
    main.attr(attributes, 'seamscope.cache.scope') AS cache_scope,
    main.attr(attributes, 'http.response.header.cache-control') AS cache_control,
    main.attr(attributes, 'seamscope.flag.outcome') AS flag_outcome
FROM told
