-- Every analysed request, a row per trace that it is spread over.
SELECT r.request_id, t.trace_id, r.entry_span_id, r.service, r.kind, r.start_ns, r.shell_ns, r.complete_ns
FROM requests r
JOIN request_traces t USING (request_id)
