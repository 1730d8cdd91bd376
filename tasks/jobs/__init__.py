"""Background jobs: deletions, exports, retention, replays.

A job is kept in the broker, so that it survives its worker: `book.py` stores jobs, `run.py` runs
them, and each kind has a file.
"""
