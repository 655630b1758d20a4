-- The rows of {table} whose numbers ({key}) are unused go; which numbers these are.
DELETE FROM base.{table}
WHERE {key} IN ({unused})
RETURNING {key};
