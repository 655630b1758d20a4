-- Schema 6 to 7: correlation ids of 128 bits are kept as numbers from now on, those that are stored stay texts;
-- results are kept otherwise, and made anew.
ALTER TABLE base.span_rows ADD COLUMN correlation_uuid UUID;
ALTER TABLE base.span_shapes ADD COLUMN correlation_form UTINYINT;
