"""Backups of ClickHouse and the ledger together: made, kept, checked and restored."""
