"""Presence checks, deletion and retention of stored rows."""
