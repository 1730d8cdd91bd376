"""OTLP requests in protobuf."""
