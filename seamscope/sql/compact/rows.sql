-- The next rows of a table of the store, written to the new file in the order they are in.
INSERT INTO {fresh}.base.{table} BY NAME
SELECT *
FROM store.base.{table}
WHERE rowid >= $first AND rowid < $last;
