-- Windows of event time all of whose traces were analysed with each other, and to which nothing has come since.
CREATE TABLE IF NOT EXISTS base.windows (start_ns BIGINT, end_ns BIGINT);
