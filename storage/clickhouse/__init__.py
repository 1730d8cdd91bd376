"""Connections to ClickHouse: queries, inserts, downloads, errors."""
