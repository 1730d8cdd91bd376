"""Backups of ClickHouse's tables: where they are, made, restored and checked."""
