import socket
import struct
import threading

import pyarrow as pa
import pytest

from config.settings import Settings
from storage import decode
from storage.clickhouse.errors import (
    TOO_MANY_PARTS,
    OutcomeUnknownError,
    RowsRefusedError,
    UnavailableError,
)
from storage.clickhouse.insert import Inserter
from storage.lifecycle import presence
from tests.integration.made_logs import DAY_NS, NOON, entry

pytestmark = pytest.mark.integration


def rows_of(*entries):
    chunks = [each.chunk.rows() for each in entries]
    return decode.decode("logs", chunks)["otel_logs"]


def count(clickhouse):
    [(rows,)] = clickhouse.query("SELECT count() FROM otel_logs")
    return rows


def parts(clickhouse):
    return clickhouse.query(
        "SELECT partition, rows FROM system.parts WHERE active AND table = 'otel_logs'"
        " AND database = currentDatabase() ORDER BY partition"
    )


def test_a_batch_is_one_part_a_partition(clickhouse, inserter):
    clickhouse.query("SYSTEM STOP MERGES otel_logs")
    times = [NOON + (n % 3) * DAY_NS for n in range(120_000)]
    inserter.insert("otel_logs", rows_of(entry(map(str, range(120_000)), times)), "q1")
    clickhouse.query("SYSTEM START MERGES otel_logs")
    assert [rows for _, rows in parts(clickhouse)] == [40_000] * 3


def test_the_kernel_sends_no_request_for_longer_than_its_lease_lasts(clickhouse, inserter):
    """Not after its process has ended, and not when a link heals after minutes."""
    inserter.insert("otel_logs", rows_of(entry(["a"])), "q1")
    [pool] = [inserter._http.pools[key] for key in inserter._http.pools.keys()]  # noqa: SIM118
    connection = pool._get_conn()
    option = connection.sock.getsockopt
    try:
        linger = option(socket.SOL_SOCKET, socket.SO_LINGER, 8)
        assert struct.unpack("ii", linger) == (1, 0)
        assert option(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            half = Settings().insert_timeout * 1000 / 2
            assert option(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == half
    finally:
        pool._put_conn(connection)
    assert count(clickhouse) == 1


def test_an_inserted_block_is_one_file_and_what_merges_make_of_it_one_a_column(
    clickhouse, inserter
):
    clickhouse.query("SYSTEM STOP MERGES otel_logs")
    for number in range(2):
        lines = (f"{number} {'x' * 100} {row}" for row in range(60_000))
        inserter.insert("otel_logs", rows_of(entry(lines)), f"q{number}")
    asked = (
        "SELECT part_type, data_uncompressed_bytes > 8 * 1048576 FROM system.parts"
        " WHERE active AND table = 'otel_logs' AND database = currentDatabase()"
    )

    assert clickhouse.query(asked) == [("Compact", 1)] * 2

    clickhouse.query("SYSTEM START MERGES otel_logs")
    clickhouse.query("OPTIMIZE TABLE otel_logs FINAL")
    assert clickhouse.query(asked) == [("Wide", 1)]


def test_an_inserted_block_has_all_indexes_but_the_one_of_words_which_a_merge_adds(
    clickhouse, inserter
):
    clickhouse.query("SYSTEM STOP MERGES otel_logs")
    for number in range(2):
        inserter.insert("otel_logs", rows_of(entry([f"line {number}"])), f"q{number}")
    asked = (
        "SELECT name FROM system.data_skipping_indices WHERE table = 'otel_logs'"
        " AND database = currentDatabase() AND data_compressed_bytes ORDER BY name"
    )
    filters = ["idx_log_attr_value", "idx_res_attr_value", "idx_trace_id"]

    assert [name for (name,) in clickhouse.query(asked)] == filters

    clickhouse.query("SYSTEM START MERGES otel_logs")
    clickhouse.query("OPTIMIZE TABLE otel_logs FINAL")
    assert [name for (name,) in clickhouse.query(asked)] == ["idx_body", *filters]


def test_values_that_a_column_never_takes_are_refused_for_good(clickhouse, inserter):
    wrong = pa.record_batch({"Timestamp": pa.array(["not a time"]), "Body": pa.array(["a"])})
    with pytest.raises(RowsRefusedError) as refused:
        inserter.insert("otel_logs", wrong, "q3")
    assert refused.value.code
    assert count(clickhouse) == 0


def test_a_missing_table_may_come_back(inserter):
    with pytest.raises(UnavailableError) as refused:
        inserter.insert("no_such_table", rows_of(entry(["a"])), "q4")
    assert refused.value.code == 60
    assert not isinstance(refused.value, OutcomeUnknownError)


def test_a_block_of_more_than_a_hundred_partitions_is_refused_for_good(clickhouse, inserter):
    times = [NOON + n * DAY_NS for n in range(101)]
    wide = rows_of(entry(map(str, range(101)), times))
    with pytest.raises(RowsRefusedError) as refused:
        inserter.insert("otel_logs", wide, "q5")
    assert refused.value.code == TOO_MANY_PARTS
    assert count(clickhouse) == 0

    for number, piece in enumerate(presence.by_partitions(wide)):
        inserter.insert("otel_logs", piece, f"q5-{number}")
    assert count(clickhouse) == 101


def test_a_table_whose_merges_lag_behind_passes(clickhouse, inserter):
    clickhouse.query("SYSTEM STOP MERGES otel_logs")
    clickhouse.query("ALTER TABLE otel_logs MODIFY SETTING parts_to_throw_insert = 3")
    try:
        for number in range(3):
            inserter.insert("otel_logs", rows_of(entry([str(number)])), f"q6-{number}")
        with pytest.raises(UnavailableError) as refused:
            inserter.insert("otel_logs", rows_of(entry(["more"])), "q6-more")
        assert refused.value.code == TOO_MANY_PARTS
        assert not isinstance(refused.value, RowsRefusedError)
    finally:
        clickhouse.query("ALTER TABLE otel_logs RESET SETTING parts_to_throw_insert")
        clickhouse.query("SYSTEM START MERGES otel_logs")

    inserter.insert("otel_logs", rows_of(entry(["later"])), "q6-later")


def test_no_server_means_that_nothing_was_stored(make_settings, free_port):
    inserter = Inserter(make_settings(clickhouse_http_port=free_port()))
    with pytest.raises(UnavailableError, match="cannot be reached") as refused:
        inserter.insert("otel_logs", rows_of(entry(["a"])), "q7")
    assert not isinstance(refused.value, OutcomeUnknownError)
    assert refused.value.code == 0


@pytest.mark.parametrize("fault", ["cut", "cut_request"])
def test_a_connection_that_breaks_leaves_the_outcome_unknown(
    stores, proxy, migrated, clickhouse, fault
):
    gate = proxy(migrated.clickhouse_http_port)
    inserter = Inserter(stores(clickhouse_http_port=gate.port))
    gate.break_next(fault, 1)
    with pytest.raises(OutcomeUnknownError, match="did not arrive"):
        inserter.insert("otel_logs", rows_of(entry(["a"])), f"q8-{fault}")

    inserter.insert("otel_logs", rows_of(entry(["b"])), f"q9-{fault}")
    inserter.close()
    assert count(clickhouse) in {1, 2}


def test_threads_share_an_inserter(clickhouse, inserter):
    failed = []

    def work(number):
        try:
            for turn in range(3):
                inserter.insert("otel_logs", rows_of(entry(["a"])), f"q10-{number}-{turn}")
        except Exception as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert count(clickhouse) == 12
