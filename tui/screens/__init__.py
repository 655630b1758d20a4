"""Screens: each asks for results, hands them to its widgets, and owns its keys."""
