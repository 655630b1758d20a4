"""The door: OTLP in (gRPC, HTTP, files), columns out, committed before it is acknowledged."""
