-- Requests that a service serves, calls others in, or is called in.
(
    r.service ILIKE {name} ESCAPE '\'
    OR r.request_no IN (
        SELECT h.request_no
        FROM base.hops h
        JOIN base.owners o ON o.owner_no = h.seam_no
        WHERE o.seam ILIKE {as_caller} ESCAPE '\' OR o.seam ILIKE {as_callee} ESCAPE '\'
    )
)
