-- The numbers of requests that go are not given again; views are made anew because their digest fits nothing.
UPDATE base.store
SET
    schema_version = $version,
    written_by = $by,
    views_digest = '',
    last_request_no = greatest(last_request_no, (SELECT coalesce(max(request_no), 0) FROM base.requests));
