"""Bodies into columns: the wire and JSON readers of OTLP, others' JSON, and which of what they find is admitted."""
