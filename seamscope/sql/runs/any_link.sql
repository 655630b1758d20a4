-- Whether any span is linked to another: where none is, nobody needs to ask to whom.
SELECT 1 AS found FROM base.span_links LIMIT 1;
