-- Columns of a view, for the traces of requests that began at a moment or later.
SELECT {columns}
FROM {view}
WHERE trace_id IN (
    SELECT t.trace_id FROM request_traces t JOIN requests r USING (request_id) WHERE r.start_ns >= $since_ns
)
