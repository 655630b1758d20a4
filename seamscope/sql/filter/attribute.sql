-- Requests with an attribute on a span of their traces, or on such a span's resource.
r.request_no IN (
    SELECT t.request_no
    FROM base.request_traces t
    JOIN base.shaped_spans x USING (trace_hi, trace_lo)
    WHERE {of_span} OR x.resource_id IN (SELECT z.resource_id FROM base.resources z WHERE {of_resource})
)
