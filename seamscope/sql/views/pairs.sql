-- Attributes are kept as two texts, keys and values, each joined by U+001F (`seamscope.store.packing`). A value that a
-- column of the row says too is a reference to it: c, i and p are the row's correlation_id, platform_id and url_path.
CREATE OR REPLACE MACRO base.escaped(text) AS replace(
    replace(coalesce(text, chr(27) || 'n'), chr(27), chr(27) || 'e'), chr(31), chr(27) || 's');

CREATE OR REPLACE MACRO base.unescaped(text) AS CASE
    WHEN text = chr(27) || 'n' THEN NULL
    ELSE replace(replace(text, chr(27) || 's', chr(31)), chr(27) || 'e', chr(27))
END;

-- The values with every reference put back. What is put in has no sign of a reference: it is escaped.
CREATE OR REPLACE MACRO base.whole_texts(texts, c, i, p) AS CASE
    WHEN NOT contains(texts, chr(27)) THEN texts
    ELSE replace(
        replace(replace(texts, chr(27) || 'c', base.escaped(c)), chr(27) || 'i', base.escaped(i)),
        chr(27) || 'p', base.escaped(p))
END;

CREATE OR REPLACE MACRO base.pairs_of(keys, texts) AS CASE
    WHEN keys IS NULL THEN []::STRUCT("key" VARCHAR, "value" VARCHAR)[]
    WHEN contains(keys, chr(27)) OR contains(texts, chr(27)) THEN list_transform(
        list_zip(string_split(keys, chr(31)), string_split(texts, chr(31))),
        lambda pair: {'key': base.unescaped(pair[1]), 'value': base.unescaped(pair[2])}
    )
    ELSE list_zip(string_split(keys, chr(31)), string_split(texts, chr(31)))::STRUCT("key" VARCHAR, "value" VARCHAR)[]
END;

CREATE OR REPLACE MACRO base.pairs(keys, texts, c, i, p) AS base.pairs_of(keys, base.whole_texts(texts, c, i, p));

-- One value as it was sent.
CREATE OR REPLACE MACRO base.told(text, c, i, p) AS CASE
    WHEN NOT contains(text, chr(27)) THEN text
    WHEN text = chr(27) || 'c' THEN c
    WHEN text = chr(27) || 'i' THEN i
    WHEN text = chr(27) || 'p' THEN p
    ELSE base.unescaped(text)
END;

-- The value of one key, the last one of a repeated key. What is asked of the keys alone is worked out once for all
-- spans that have the same ones, so that a key that is nowhere costs a tenth of looking through the pairs.
CREATE OR REPLACE MACRO base.attribute(keys, texts, c, i, p, wanted) AS CASE
    WHEN contains(keys, chr(27)) THEN main.attr(base.pairs(keys, texts, c, i, p), wanted)
    WHEN list_contains(string_split(keys, chr(31)), wanted) THEN base.told(string_split(texts, chr(31))[
        len(string_split(keys, chr(31))) + 1 - list_position(list_reverse(string_split(keys, chr(31))), wanted)],
        c, i, p)
END;
