"""The doors: OTLP over gRPC and HTTP, and JSON."""
