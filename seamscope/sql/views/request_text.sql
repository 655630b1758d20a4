-- A request's id: <trace id>-<entry span id>.
CREATE OR REPLACE MACRO base.request_text(hi, lo, entry) AS base.trace_text(hi, lo) || '-' || base.span_text(entry);
