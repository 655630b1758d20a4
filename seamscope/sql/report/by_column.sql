-- One key per request: a column of its own.
SELECT p.request_no, p.{column} AS key FROM picked p
