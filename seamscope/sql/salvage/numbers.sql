-- The new file's numbers go on behind those of the damaged one, as far as they can be read.
UPDATE {fresh}.base.store AS f
SET
    created_ns = s.created_ns,
    last_commit_no = s.last_commit_no,
    last_request_no = s.last_request_no
FROM store.base.store AS s;
