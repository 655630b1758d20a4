-- The 16 hex digits of a span id; null for 0, which means 'none'.
CREATE OR REPLACE MACRO base.span_text(id) AS
    lower(CASE WHEN id >= 1152921504606846976 THEN hex(id) WHEN id > 0 THEN lpad(hex(id), 16, '0') END);
