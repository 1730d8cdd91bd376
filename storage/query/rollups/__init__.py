"""Rollups: stored counts of log records by minute, hour and day, combined with raw rows.

docs/decisions/0008-rollups.md has the reasons, and the proof that the results are exact.
"""
