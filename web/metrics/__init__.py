"""Metrics: a list of them, and series computed from their data points."""
