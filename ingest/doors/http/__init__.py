"""The HTTP door: OTLP and plain JSON."""
