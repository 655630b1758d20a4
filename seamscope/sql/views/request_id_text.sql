-- A request id as it was sent, from what is kept of it (`seamscope.store.ids`).
CREATE OR REPLACE MACRO base.request_id_text(form, number, other) AS
CASE form WHEN 1 THEN replace(number::VARCHAR, '-', '') WHEN 2 THEN number::VARCHAR ELSE other END;
