"""The API's tests that fail on a cluster, and why; one that passes must be taken out."""

CANNOT: dict[str, str] = {}
"""Patterns of test ids, as of fnmatch."""
