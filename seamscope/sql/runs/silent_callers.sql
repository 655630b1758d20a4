-- Traces with calls to some hosts that were analysed without a server span.
SELECT DISTINCT
    h.trace_hi,
    h.trace_lo
FROM base.hop_rows AS h
WHERE h.server_span_id = 0 AND list_contains($peers::VARCHAR[], h.peer);
