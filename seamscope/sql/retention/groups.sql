-- The row groups of a table, in order: how many rows, and the last block that any of it lies in.
SELECT
    row_group_id,
    max("count") AS rows,
    max(greatest(block_id, coalesce(list_max(additional_block_ids), -1))) AS last_block
FROM pragma_storage_info('base.{table}')
WHERE segment_type <> 'VALIDITY'
GROUP BY row_group_id
ORDER BY row_group_id;
