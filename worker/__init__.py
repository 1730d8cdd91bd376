"""Stores batches: lease one from the ledger, decode it, insert it, settle it."""
