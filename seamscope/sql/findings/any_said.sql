-- Whether any span tells what is asked for by its name (`said`): to ask of every span takes much longer.
SELECT EXISTS (
    SELECT 1 FROM base.span_shapes
    WHERE
        contains(attribute_keys, 'seamscope.cache.scope')
        OR contains(attribute_keys, 'http.response.header.cache-control')
        OR contains(attribute_keys, 'seamscope.flag.outcome')
) AS found
