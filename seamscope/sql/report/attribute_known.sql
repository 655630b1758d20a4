-- Whether any span or resource carries an attribute of this key.
SELECT EXISTS (SELECT 1 FROM base.shaped_spans WHERE base.attribute(
    attribute_keys, attribute_texts, correlation_id, platform_id, url_path, $key
) IS NOT NULL)
    OR EXISTS (SELECT 1 FROM base.resources WHERE attr(attributes, $key) IS NOT NULL) AS known
