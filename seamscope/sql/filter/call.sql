-- Requests with one hop that is all this.
r.request_no IN (
    SELECT h.request_no FROM base.hops h JOIN base.owners o ON o.owner_no = h.seam_no WHERE {condition}
)
