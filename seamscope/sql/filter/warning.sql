-- Requests in which something odd was found.
r.request_no IN (SELECT w.request_no FROM base.warnings w WHERE w.request_no IS NOT NULL AND {condition})
