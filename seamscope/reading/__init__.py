"""Stored results → results as people see them: one request, lists, reports, the whole boundary."""
