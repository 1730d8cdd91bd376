"""Plain JSON log records as OTLP."""
