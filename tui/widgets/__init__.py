"""Widgets: each takes a result in a method, draws it line by line, and asks for nothing."""
