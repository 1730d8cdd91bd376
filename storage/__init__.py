"""ClickHouse: schema, decoding, inserts, queries, deletion and retention."""
