"""One command per file: it parses, then calls one function."""
