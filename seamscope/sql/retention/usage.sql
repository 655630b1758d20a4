-- How much of the file holds rows, and how long it is.
SELECT
    block_size,
    used_blocks,
    total_blocks
FROM pragma_database_size()
WHERE database_name = current_database();
