-- What the baseline reads of every span.
SELECT {columns}
FROM spans
