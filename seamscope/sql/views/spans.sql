-- A row per stored span.
CREATE OR REPLACE VIEW main.spans AS SELECT * EXCLUDE (trace_hi, trace_lo) FROM base.spans_as_text;
