-- What a span has in {table} goes where the span itself could not be read: its number ({key}) may be given again.
DELETE FROM {fresh}.base.{table}
WHERE rowid IN (
    SELECT t.rowid
    FROM {fresh}.base.{table} AS t
    ANTI JOIN {fresh}.base.span_rows USING ({key})
);
