"""Text as people see it."""
