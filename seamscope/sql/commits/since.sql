-- Some columns of the rows of {table} from a commit on: those of the newest commits, $most of them at most.
SELECT {columns}
FROM base.{table}
WHERE commit_no >= $first
ORDER BY commit_no DESC
LIMIT $most;
