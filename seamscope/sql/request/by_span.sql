-- Predicate: requests whose traces hold this span, or a span that carries this correlation or platform id.
r.request_no IN (
    SELECT t.request_no
    FROM base.request_traces t
    JOIN base.span_rows x USING (trace_hi, trace_lo)
    WHERE
        x.span_id = $span_id::UBIGINT
        OR x.correlation_uuid = try_cast($text AS UUID)
        OR x.correlation_id = $text
        OR x.platform_id = $text
)
