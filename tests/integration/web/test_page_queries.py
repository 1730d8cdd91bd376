"""How a page is searched for: in windows; in the whole range where an index leaves few rows; in
narrow windows where there are many rows; and not at all where there are none."""

from contextlib import contextmanager

import pytest

from config.settings import Settings
from config.units import NS_PER_HOUR, NS_PER_S
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import QueryRefusedError
from storage.query.logs import nearest
from storage.query.logs.read import LogReader, PageQuery
from storage.query.logs.search import LogFilters
from storage.time_range import TimeRange

pytestmark = pytest.mark.integration

DAY = TimeRange(1_614_729_600 * 10**9, 1_614_729_600 * 10**9 + 24 * NS_PER_HOUR - 1)
LAST_MINUTES = TimeRange(DAY.last_ns - NS_PER_HOUR // 2, DAY.last_ns)
SILENT_NS = DAY.last_ns - 2 * NS_PER_HOUR
ROWS = 20_000
BUSY_NS = NS_PER_S // 500

INSERT = """
INSERT INTO otel_logs (Timestamp, Body, WorkspaceId, ChunkId, ChunkRow)
SELECT fromUnixTimestamp64Nano(toInt64({last} - number * {step})),
       concat('often said', if(number = 15000, ' needle', '')), '{workspace}', 1, number
FROM numbers({rows})
"""


class Recorded(Clickhouse):
    """A connection that records how each query ended, `answered` or an error's code, and how many
    rows it read."""

    def __init__(self, settings):
        super().__init__(settings)
        self.ends = []
        self.read = []

    @contextmanager
    def _connection(self, host):
        try:
            with super()._connection(host) as connection:
                yield connection
        except QueryRefusedError as error:
            self.ends.append(error.code)
            raise
        self.ends.append("answered")
        self.read.append(connection.last_query.progress.rows)


@pytest.fixture(scope="module")
def clickhouse(engine_settings):
    """A workspace without records in the last two hours of a day, and one with all of its records
    in the last forty seconds."""
    connection = Recorded(engine_settings)
    for workspace, last, step in (("silent", SILENT_NS, NS_PER_S), ("busy", DAY.last_ns, BUSY_NS)):
        connection.query(INSERT.format(workspace=workspace, last=last, step=step, rows=ROWS))
    yield connection
    connection.close()


@pytest.fixture
def page(clickhouse):
    reader = LogReader(clickhouse, Settings())

    def ask(q, workspace_id="silent", time_range=DAY, order="desc", **filters):
        clickhouse.ends.clear()
        clickhouse.read.clear()
        filters = LogFilters(workspace_id=workspace_id, q=q, **filters)
        query = PageQuery(
            filters=filters, time_range=time_range, order=order, limit=100, count=False
        )
        return reader.page(query).rows

    return ask


def test_what_an_index_finds_far_away_takes_two_queries(page, clickhouse):
    [found] = page("needle")
    assert found["timestamp_ns"] == SILENT_NS - 15_000 * 10**9
    assert clickhouse.ends == ["answered", "answered"]


@pytest.mark.parametrize("q", ["*eedl*", "/eedl[a-z]?/"])
def test_a_part_of_a_word_far_away_is_looked_for_after_silence(page, clickhouse, q):
    [found] = page(q)
    assert found["chunk_row"] == 15_000
    # Queries: five minutes; where rows begin; five minutes there; all the rest.
    assert clickhouse.ends == ["answered"] * 4


def test_what_would_be_much_to_read_is_looked_for_window_by_window(page, clickhouse, monkeypatch):
    monkeypatch.setitem(nearest._LITTLE, "max_rows_to_read", ROWS // 4)
    found = page("often")
    assert [row["chunk_row"] for row in found] == list(range(100))
    # Five minutes; all the rest, refused; where rows begin; five minutes there.
    assert clickhouse.ends == ["answered", 158, "answered", "answered"]


def test_without_an_index_nothing_is_tried_at_once(page, clickhouse):
    assert len(page("/oft.n s/")) == 100
    assert clickhouse.ends == ["answered"] * 3


@pytest.mark.parametrize("days", [0, 3])
@pytest.mark.parametrize("order", ["desc", "asc"])
def test_where_nothing_has_come_is_left_out(page, clickhouse, order, days):
    after = days * 24 * NS_PER_HOUR
    found = page("", time_range=TimeRange(DAY.first_ns - after, DAY.last_ns + after), order=order)
    rows = range(100) if order == "desc" else range(ROWS - 1, ROWS - 101, -1)
    assert [row["chunk_row"] for row in found] == list(rows)
    # Five minutes; where rows begin, in a day and then anywhere; five minutes there.
    assert clickhouse.ends == ["answered"] * (4 if days else 3)
    assert max(clickhouse.read) < ROWS // 2


@pytest.mark.parametrize("q", ["", "often", "/oft.n s/"])
def test_where_much_has_come_the_newest_moment_is_enough(page, clickhouse, monkeypatch, q):
    monkeypatch.setitem(nearest._LITTLE, "max_rows_to_read", ROWS * 3 // 5)
    found = page(q, "busy")
    assert [row["chunk_row"] for row in found] == list(range(100))
    # Five minutes, refused; a thirty-second of them.
    assert clickhouse.ends == [158, "answered"]


def test_where_much_has_come_a_part_of_a_word_is_looked_for_in_the_index(
    page, clickhouse, monkeypatch
):
    monkeypatch.setitem(nearest._LITTLE, "max_rows_to_read", ROWS * 3 // 5)
    [found] = page("", "busy", LAST_MINUTES, search="eedl")
    assert found["chunk_row"] == 15_000
    # Five minutes, refused; a thirty-second of them; where rows begin; all the rest.
    assert clickhouse.ends == [158, *["answered"] * 3]


def test_what_stays_much_in_a_moment_is_read(page, clickhouse, monkeypatch):
    monkeypatch.setitem(nearest._LITTLE, "max_rows_to_read", 1)
    found = page("", "busy")
    assert [row["chunk_row"] for row in found] == list(range(100))
    assert clickhouse.ends == [158, 158, "answered"]
