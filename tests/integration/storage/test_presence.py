import threading

import pyarrow as pa
import pytest

from ingest.convert.limits import MOST_TENANTS
from storage import decode
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import QUERY_WAS_CANCELLED, StorageError
from storage.lifecycle import presence
from storage.lifecycle.direct_requests import DirectRequests
from tests.integration.made_logs import DAY_NS, NOON, entry

pytestmark = pytest.mark.integration


def rows_of(*entries):
    chunks = [each.chunk.rows() for each in entries]
    return decode.decode("logs", chunks)["otel_logs"]


def bodies(rows):
    return rows.column("Body").to_pylist()


def days(count):
    return [NOON + n * DAY_NS for n in range(count)]


def test_of_an_empty_table_everything_is_missing(clickhouse):
    rows = rows_of(entry(["a", "b"]))
    assert presence.missing(clickhouse, "otel_logs", rows) is rows


def test_no_rows_are_never_missing(clickhouse):
    rows = rows_of(entry([]))
    assert presence.missing(clickhouse, "otel_logs", rows).num_rows == 0


def daily(count):
    """An entry of one record a day."""
    return entry(map(str, range(count)), days(count))


def test_what_is_missing_is_found_per_chunk_and_day_in_order(clickhouse, inserter):
    first, second = entry(["a0", "a1", "a2"], days(3)), entry(["b0", "b1", "b2"], days(3))
    rows = rows_of(first, second)
    there = [False, True, False, True, False, False]
    inserter.insert("otel_logs", rows.filter(there), "q")

    missing = presence.missing(clickhouse, "otel_logs", rows)
    assert bodies(missing) == ["a0", "a2", "b1", "b2"]

    inserter.insert("otel_logs", missing, "q2")
    assert presence.missing(clickhouse, "otel_logs", rows).num_rows == 0


def test_the_first_and_last_nanosecond_of_a_day_and_of_time_are_told_apart(clickhouse, inserter):
    start = NOON // DAY_NS * DAY_NS
    end = start + DAY_NS
    times = [1, 1, start - 1, start, end - 1, end, 2**63 - 1]
    rows = rows_of(entry(map(str, range(7)), times))
    there = [False, False, True, False, False, True, True]
    inserter.insert("otel_logs", rows.filter(there), "q")

    assert bodies(presence.missing(clickhouse, "otel_logs", rows)) == ["0", "1", "3", "4"]


def test_as_many_chunks_of_as_many_workspaces_are_looked_for_as_a_request_may_mix(clickhouse):
    name = "a-workspace-with-a-name-as-long-as-a-name-may-reasonably-be"
    entries = [entry(["a"], workspace=f"{name}-{number}") for number in range(MOST_TENANTS)]
    rows = rows_of(*entries)
    assert presence.missing(clickhouse, "otel_logs", rows).num_rows == MOST_TENANTS
    ids = [each.chunk.header.id for each in entries]
    assert DirectRequests(clickhouse).known(3 * ids, since=0) == []


def test_equal_rows_of_another_chunk_or_workspace_do_not_count(clickhouse, inserter):
    chunk_id = "0" * 31 + "7"
    here = entry(["a"], workspace="here", chunk_id=chunk_id)
    there = entry(["a"], workspace="there", chunk_id=chunk_id)
    other = entry(["a"], workspace="here")
    inserter.insert("otel_logs", rows_of(there, other), "q")

    assert presence.missing(clickhouse, "otel_logs", rows_of(here)).num_rows == 1
    assert presence.missing(clickhouse, "otel_logs", rows_of(there)).num_rows == 0


def test_rows_of_any_number_of_days_are_cut_into_pieces_a_block_may_have():
    rows = rows_of(daily(250), daily(250))
    pieces = presence.by_partitions(rows, 100)
    assert [piece.num_rows for piece in pieces] == [200, 200, 100]
    assert bodies(pieces[0]) == [*map(str, range(100))] * 2
    assert presence.by_partitions(pieces[0], 100) == [pieces[0]]


def test_a_day_counts_once_for_each_number_of_days_that_its_rows_are_kept():
    rows = rows_of(daily(60), daily(60))
    column = rows.schema.get_field_index("RetentionDays")
    field = rows.schema.field(column)
    kept = pa.array([0] * 60 + [7] * 60, field.type)
    rows = rows.set_column(column, field, kept)

    assert [piece.num_rows for piece in presence.by_partitions(rows, 100)] == [100, 20]


def test_stopping_ends_a_running_query_by_its_prefix_and_no_other(migrated, clickhouse, wait_until):
    ended = {}

    def run(query_id):
        connection = Clickhouse(migrated)
        try:
            with connection._connection(*migrated.clickhouse_hosts) as driver:
                driver.execute(
                    "INSERT INTO otel_logs (Timestamp, Body) SELECT now64(9), toString(number)"
                    " FROM system.numbers WHERE sleepEachRow(0.01) = 0 LIMIT 3000"
                    " SETTINGS max_block_size = 10",
                    query_id=query_id,
                )
            ended[query_id] = None
        except StorageError as error:
            ended[query_id] = error.code
        finally:
            connection.close()

    def running():
        found = clickhouse.query(
            "SELECT query_id FROM system.processes WHERE startsWith(query_id, 'sheaf-')"
        )
        return {query_id for (query_id,) in found}

    names = ["sheaf-one-1-otel_logs-0", "sheaf-two-1-otel_logs-0"]
    threads = [threading.Thread(target=run, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    wait_until(lambda: running() == set(names))

    presence.stop_earlier(clickhouse, "sheaf-one-")
    assert running() == {names[1]}

    threads[0].join()
    assert ended == {names[0]: QUERY_WAS_CANCELLED}

    presence.stop_earlier(clickhouse, "sheaf-two-")
    threads[1].join()
    assert ended[names[1]] == QUERY_WAS_CANCELLED


def test_stopping_what_does_not_run_is_nothing(clickhouse):
    presence.stop_earlier(clickhouse, "sheaf-nobody-")
