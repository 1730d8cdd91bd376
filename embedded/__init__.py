"""The built-in ClickHouse and Valkey: real engines, on loopback, with files in `DATA_DIR`."""
