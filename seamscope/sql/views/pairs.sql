-- Attributes are kept as two texts, keys and values, each joined by U+001F (`seamscope.store.packing`).
CREATE OR REPLACE MACRO base.unescaped(text) AS CASE
    WHEN text = chr(27) || 'n' THEN NULL
    ELSE replace(replace(text, chr(27) || 's', chr(31)), chr(27) || 'e', chr(27))
END;

CREATE OR REPLACE MACRO base.pairs(keys, texts) AS CASE
    WHEN keys IS NULL THEN []::STRUCT("key" VARCHAR, "value" VARCHAR)[]
    WHEN contains(keys, chr(27)) OR contains(texts, chr(27)) THEN list_transform(
        list_zip(string_split(keys, chr(31)), string_split(texts, chr(31))),
        lambda pair: {'key': base.unescaped(pair[1]), 'value': base.unescaped(pair[2])}
    )
    ELSE list_zip(string_split(keys, chr(31)), string_split(texts, chr(31)))::STRUCT("key" VARCHAR, "value" VARCHAR)[]
END;

-- The value of one key, the last one of a repeated key. What is asked of the keys alone is worked out once for all
-- spans that have the same ones, so that a key that is nowhere costs a tenth of looking through the pairs.
CREATE OR REPLACE MACRO base.attribute(keys, texts, wanted) AS CASE
    WHEN contains(keys, chr(27)) OR contains(texts, chr(27)) THEN main.attr(base.pairs(keys, texts), wanted)
    WHEN list_contains(string_split(keys, chr(31)), wanted) THEN string_split(texts, chr(31))[
        len(string_split(keys, chr(31))) + 1 - list_position(list_reverse(string_split(keys, chr(31))), wanted)]
END;
