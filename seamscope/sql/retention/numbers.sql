-- Numbers of rows that are gone are not given again.
UPDATE base.store
SET
    last_commit_no = greatest(last_commit_no, $upto),
    last_request_no = greatest(last_request_no, $last_request);
