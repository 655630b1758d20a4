-- The new file's row about itself goes on where the old one's is.
UPDATE {fresh}.base.store AS f
SET
    written_by = s.written_by,
    created_ns = s.created_ns,
    last_commit_no = s.last_commit_no,
    last_request_no = s.last_request_no
FROM store.base.store AS s;
