-- A request (r) is one of the latest: up to the last that was read, and of a number that is not known yet.
(
    r.request_no > $since_no
    AND r.request_no <= $last_no
    AND r.spans <= $most_spans
    AND r.start_ns >= $since_ns
    AND (
        r.start_ns > $since_ns
        OR (r.trace_hi, r.trace_lo, r.entry_span_id) <= ($last_hi::UBIGINT, $last_lo::UBIGINT, $last_entry::UBIGINT)
    )
)
