"""Queries over log records."""
