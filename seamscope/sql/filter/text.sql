-- Requests that mention a text: in themselves, in an id, or in a span's name or status message.
(
    r.route ILIKE {pattern} ESCAPE '\'
    OR r.service ILIKE {pattern} ESCAPE '\'
    OR r.place ILIKE {pattern} ESCAPE '\'
    OR {id}
    OR r.request_no IN (
        SELECT t.request_no
        FROM base.request_traces t
        JOIN base.spans x USING (trace_hi, trace_lo)
        WHERE x.name ILIKE {pattern} ESCAPE '\' OR x.status_message ILIKE {pattern} ESCAPE '\'
    )
)
