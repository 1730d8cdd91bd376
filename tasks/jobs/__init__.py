"""Long work that is asked for: deletions, exports, retention, replays; one model for all.

A job is kept in the broker, so that it outlives the worker that runs it: see `book.py` for what is
kept, `run.py` for how a job is run, and one file a kind for what it does.
"""
