-- The spans of one trace: FROM trace('4bf92f35…'). The same rows as spans WHERE trace_id = …, but found by integers:
-- all columns of a trace among a million spans in 25 ms of CPU; through the view's text it is 1.1 s (three columns: 0.2 s).
CREATE OR REPLACE MACRO main.trace(id) AS TABLE
    SELECT * EXCLUDE (trace_hi, trace_lo)
    FROM base.spans_as_text
    WHERE trace_hi = ('0x' || left(id, 16))::UBIGINT AND trace_lo = ('0x' || right(id, 16))::UBIGINT;
