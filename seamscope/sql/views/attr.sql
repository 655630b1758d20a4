-- The value of an attribute as text; of a repeated key the last wins; null where there is none.
CREATE OR REPLACE MACRO main.attr(attributes, key) AS list_filter(attributes, lambda a: a.key = key)[-1].value;
