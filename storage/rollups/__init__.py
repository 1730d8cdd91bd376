"""Counts of log records by minute, hour and day: kept, proven fresh, joined with raw rows.

docs/decisions/0008-rollups.md has the reasons and the proof.
"""
