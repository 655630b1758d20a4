-- Windows to which nothing has come since they were analysed.
SELECT
    start_ns,
    end_ns
FROM base.windows;
