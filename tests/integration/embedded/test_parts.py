"""How the built-in ClickHouse compresses and syncs the parts of a table."""

import pytest

pytestmark = pytest.mark.integration

LONGEST_UNTIL_WRITTEN = 60
"""Seconds; Linux writes a page at the latest 30 seconds after it changed, and looks every five."""


def parts(client):
    """Level and codec of each part that is read."""
    return client.execute(
        "SELECT level, default_compression_codec FROM system.parts "
        "WHERE active AND table = 't' AND database = currentDatabase() ORDER BY name"
    )


@pytest.mark.parametrize(
    ("rows", "codec"), [(10, "ZSTD(1)"), (40_000, "LZ4"), (100_000, "ZSTD(1)")]
)
def test_inserts_and_the_first_merges_of_full_load_use_lz4_other_merges_zstd(client, rows, codec):
    client.execute("CREATE TABLE t (s String) ENGINE = MergeTree ORDER BY ()")
    client.execute("SYSTEM STOP MERGES t")
    for _ in range(2):
        client.execute(
            "INSERT INTO t SELECT randomString(1000) FROM numbers(%(rows)s)",
            {"rows": rows},
            settings={"max_block_size": rows, "min_insert_block_size_rows": rows},
        )
    assert parts(client) == [(0, "LZ4"), (0, "LZ4")]

    client.execute("SYSTEM START MERGES t")
    client.execute("OPTIMIZE TABLE t FINAL")
    assert parts(client) == [(1, codec)]
    client.execute("DROP TABLE t SYNC")


def test_parts_stay_on_disk_for_a_while_after_they_were_merged(client):
    client.execute("CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n")
    for _ in range(2):
        client.execute("INSERT INTO t SELECT number FROM numbers(1000)")
    client.execute("OPTIMIZE TABLE t FINAL")
    [(seconds,)] = client.execute(
        "SELECT value FROM system.merge_tree_settings WHERE name = 'old_parts_lifetime'"
    )
    assert int(seconds) >= LONGEST_UNTIL_WRITTEN
    kept = client.execute(
        "SELECT count() FROM system.parts WHERE table = 't' AND NOT active "
        "AND database = currentDatabase() AND level = 0"
    )
    assert kept == [(2,)]
