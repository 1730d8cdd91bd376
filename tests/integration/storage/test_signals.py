"""Spans and data points are stored as they were decoded, once, whatever was tried before."""

import secrets
import urllib.request
from urllib.parse import urlencode

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ledger import chunk as chunks
from ledger.ledger import Entry
from storage.decode import ChunkRows, decode, record_count, time_column
from storage.lifecycle import presence
from tests.integration.made_signals import DAY, REQUESTS, START
from tests.unit.storage.decode.alike import column_values
from worker.write import Writer

pytestmark = pytest.mark.integration

TABLES = [(signal, table) for signal in REQUESTS for table in decode(signal, [])]


def rows_of(signal, *chunk_ids, **times):
    payload = REQUESTS[signal](**times)
    return decode(
        signal,
        [ChunkRows(payload, f"workspace-{n % 2}", "web", n, START, 0) for n in chunk_ids],
    )


def new_ids(count):
    return [secrets.randbits(64) for _ in range(count)]


def read_back(settings, table, schema, chunk_ids):
    """Rows of these chunks in their order as Arrow, with times as Unix nanoseconds."""
    columns = ", ".join(selected(field) for field in schema)
    ids = ", ".join(map(str, chunk_ids))
    order = ", ".join(f"toUInt64({chunk_id})" for chunk_id in chunk_ids)
    query = (
        f"SELECT {columns} FROM {table} WHERE ChunkId IN ({ids}) "
        f"ORDER BY indexOf([{order}], ChunkId), ChunkRow "
        "FORMAT Arrow SETTINGS output_format_arrow_string_as_string = 1"
    )
    url = f"http://127.0.0.1:{settings.clickhouse_http_port}/?{urlencode({'query': query})}"
    with urllib.request.urlopen(url, timeout=60) as answer, pa.ipc.open_file(answer.read()) as file:
        return file.read_all().combine_chunks().to_batches()[0]


def selected(field):
    if pa.types.is_timestamp(field.type):
        return f"toUnixTimestamp64Nano(`{field.name}`)"
    if pa.types.is_list(field.type) and pa.types.is_timestamp(field.type.value_type):
        return f"arrayMap(time -> toUnixTimestamp64Nano(time), `{field.name}`)"
    return f"`{field.name}`"


def stored(clickhouse, table, chunk_ids):
    [(count,)] = clickhouse.query(
        f"SELECT count() FROM {table} WHERE ChunkId IN %(ids)s", {"ids": tuple(chunk_ids)}
    )
    return count


@pytest.mark.parametrize(("signal", "table"), TABLES)
def test_decoded_rows_are_read_back_from_the_engine_as_they_were(migrated, inserter, signal, table):
    ids = new_ids(3)
    rows = rows_of(signal, *ids)[table]
    assert rows.num_rows

    inserter.insert(table, rows, f"read-back-{secrets.token_hex(4)}")
    found = read_back(migrated, table, rows.schema, ids)
    for number, name in enumerate(rows.schema.names):
        expected = column_values(rows, name)
        assert column_values(found, found.schema.names[number]) == expected, name


@pytest.mark.parametrize(("signal", "table"), TABLES)
def test_only_the_days_of_a_chunk_that_are_not_there_are_missing(
    clickhouse, inserter, signal, table
):
    first, second = new_ids(2)
    rows = rows_of(signal, first, second)[table]
    time = time_column(table)
    assert presence.missing(clickhouse, table, rows, time).num_rows == rows.num_rows

    # Of the first chunk, the rows of one day are stored.
    is_first_day = [instant // DAY == START // DAY for instant in column_values(rows, time)]
    is_first_chunk = [chunk == first for chunk in rows["ChunkId"].to_pylist()]
    there = pc.and_(pa.array(is_first_day), pa.array(is_first_chunk))
    inserter.insert(table, rows.filter(there), f"some-{secrets.token_hex(4)}")

    missing = presence.missing(clickhouse, table, rows, time)
    assert missing.equals(rows.filter(pc.invert(there)))
    assert 0 < missing.num_rows < rows.num_rows

    inserter.insert(table, missing, f"rest-{secrets.token_hex(4)}")
    assert presence.missing(clickhouse, table, rows, time).num_rows == 0
    assert stored(clickhouse, table, [first, second]) == rows.num_rows


@pytest.mark.parametrize("signal", REQUESTS)
def test_rows_are_cut_by_the_day_of_their_own_time(signal):
    for table, rows in rows_of(signal, 1).items():
        time = time_column(table)
        pieces = presence.by_partitions(rows, most=1, time=time)
        days = []
        for piece in pieces:
            days_of_piece = {instant // DAY for instant in column_values(piece, time)}
            assert len(days_of_piece) == 1
            days += days_of_piece
        assert len(set(days)) == len(pieces) > 1


@pytest.fixture
def writer(stores, ledger, clickhouse, inserter):
    return Writer(stores(), ledger, clickhouse, inserter)


@pytest.mark.parametrize(("signal", "away"), TABLES)
def test_a_batch_that_was_stored_in_some_tables_only_is_completed_not_repeated(
    writer, ledger, clickhouse, wait_until, *, signal, away
):
    payload = REQUESTS[signal](times=[START, START + 1, START + DAY])
    rows = decode(signal, [ChunkRows(payload, "acme", "web", 1, START, 0)])
    expected = {table: batch.num_rows for table, batch in rows.items()}
    records = record_count(rows)
    chunk_id = chunks.new_id()
    header = chunks.Header(
        chunks.VERSION, chunk_id, signal, "acme", "web", records, len(payload), START, 0
    )
    ledger.accept([Entry(chunks.Chunk(header, chunks.compress(payload)), ("request",))])

    clickhouse.query(f"RENAME TABLE {away} TO {away}_away")
    try:
        [outcome] = writer.drain()
        assert away in outcome.problem
    finally:
        clickhouse.query(f"RENAME TABLE {away}_away TO {away}")

    def settled():
        outcomes = writer.drain()
        if not outcomes:
            return False
        return outcomes[-1].problem == "" and outcomes[-1].rows == records

    wait_until(settled)
    ids = [chunks.row_id(chunk_id)]
    assert {table: stored(clickhouse, table, ids) for table in expected} == expected
    assert ledger.waiting.stats().waiting_chunks == 0
