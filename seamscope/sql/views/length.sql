-- How long a span took by its own times; null where they are years apart (`time_out_of_range`): nobody knows.
CREATE OR REPLACE MACRO base.length_ns(start_ns, end_ns) AS
    CASE WHEN end_ns - start_ns <= 31536000000000000 THEN greatest(end_ns - start_ns, 0) END;
