-- Requests with one stretch of their path that is all this.
r.request_no IN (
    SELECT s.request_no FROM base.segments s JOIN base.owners o USING (owner_no) WHERE {condition}
)
