"""Queries: the search language, logs, traces, metrics, rollups."""
