-- Whole addresses of spans between two numbers.
SELECT span_no, url_full FROM base.span_texts
WHERE span_no BETWEEN $first_span AND $last_span AND url_full IS NOT NULL
