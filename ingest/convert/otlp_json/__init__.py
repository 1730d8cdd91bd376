"""OTLP requests in JSON."""
