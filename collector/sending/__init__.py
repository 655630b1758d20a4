"""The way out: recorded bodies sent to a collector, at once or at the pace at which they were recorded."""
