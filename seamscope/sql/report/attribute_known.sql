-- Whether any span or resource carries an attribute of this key.
SELECT EXISTS (SELECT 1 FROM base.spans WHERE len(list_filter(attributes, lambda a: a.key = $key)) > 0)
    OR EXISTS (SELECT 1 FROM base.resources WHERE len(list_filter(attributes, lambda a: a.key = $key)) > 0) AS known
