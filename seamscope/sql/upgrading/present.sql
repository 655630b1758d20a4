-- What is in the file: views first, for they are drawn over the tables.
SELECT
    'VIEW' AS kind,
    view_name AS name
FROM duckdb_views()
WHERE NOT internal AND schema_name = 'main' AND database_name = current_database()
UNION ALL
SELECT
    'TABLE',
    table_name
FROM duckdb_tables()
WHERE NOT internal AND schema_name = 'base' AND database_name = current_database();
