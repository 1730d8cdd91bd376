"""ClickHouse: the schema, the inserts, the reads, and the built-in server."""
