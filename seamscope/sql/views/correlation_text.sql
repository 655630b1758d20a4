-- A correlation id as it was sent, from what is kept of it (`seamscope.store.correlation`).
CREATE OR REPLACE MACRO base.correlation_text(form, number, other) AS
CASE form WHEN 1 THEN replace(number::VARCHAR, '-', '') WHEN 2 THEN number::VARCHAR ELSE other END;
