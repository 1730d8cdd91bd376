"""The live tail: log records as they are stored."""
