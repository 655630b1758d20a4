-- Columns of a view, for requests that began at a moment or later.
SELECT {columns}
FROM {view}
WHERE request_id IN (SELECT request_id FROM requests WHERE start_ns >= $since_ns)
