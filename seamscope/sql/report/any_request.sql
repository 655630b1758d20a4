-- Whether the store holds any request.
SELECT EXISTS (SELECT 1 FROM base.requests) AS any
