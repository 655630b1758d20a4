"""Where bodies and queries come in: OTLP over gRPC and HTTP, the socket beside the store, and who may pass."""
