"""Queries over spans: whole traces, lists of traces, statistics."""
