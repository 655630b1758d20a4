"""The filter line and its kin → a predicate with bound values: which requests a command looks at."""
