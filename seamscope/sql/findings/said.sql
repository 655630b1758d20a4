-- What spans between two numbers tell by attributes that have no column. Where a key is among others is the same for all
-- spans of a shape; to ask each span (base.attribute) takes three times as long.
WITH shape AS MATERIALIZED (
    SELECT
        shape_no,
        correlation_form,
        len(keys) + 1 - list_position(list_reverse(keys), 'seamscope.cache.scope') AS scope_at,
        len(keys) + 1 - list_position(list_reverse(keys), 'http.response.header.cache-control') AS control_at,
        len(keys) + 1 - list_position(list_reverse(keys), 'seamscope.flag.outcome') AS outcome_at
    FROM (SELECT shape_no, correlation_form, string_split(attribute_keys, chr(31)) AS keys FROM base.span_shapes)
    WHERE
        list_has_any(
            keys, ['seamscope.cache.scope', 'http.response.header.cache-control', 'seamscope.flag.outcome']
        )
),

told AS (
    SELECT
        s.span_no,
        string_split(s.attribute_texts, chr(31)) AS texts,
        base.correlation_text(h.correlation_form, s.correlation_uuid, s.correlation_id) AS correlation_id,
        s.platform_id,
        s.url_path,
        h.scope_at,
        h.control_at,
        h.outcome_at
    FROM base.span_rows s
    JOIN shape h USING (shape_no)
    WHERE s.span_no BETWEEN $first_span AND $last_span
)

SELECT
    span_no,
    base.told(texts[scope_at], correlation_id, platform_id, url_path) AS cache_scope,
    base.told(texts[control_at], correlation_id, platform_id, url_path) AS cache_control,
    base.told(texts[outcome_at], correlation_id, platform_id, url_path) AS flag_outcome
FROM told
