"""How a page is looked for: in windows, and all at once where an index leaves little to read."""

from contextlib import contextmanager

import pytest

from config.settings import Settings
from storage.client import Clickhouse
from storage.errors import QueryRefusedError
from storage.logs import read
from storage.logs.read import LogReader, PageQuery
from storage.logs.search import LogFilters
from storage.logs.windows import HOUR_NS
from storage.sql import TimeRange

pytestmark = pytest.mark.integration

DAY = TimeRange(1_614_729_600 * 10**9, 1_614_729_600 * 10**9 + 24 * HOUR_NS - 1)
SILENT_NS = DAY.last_ns - 2 * HOUR_NS
ROWS = 20_000

INSERT = """
INSERT INTO otel_logs (Timestamp, Body, WorkspaceId, ChunkId, ChunkRow)
SELECT fromUnixTimestamp64Nano(toInt64({last} - number * 1000000000)),
       concat('often said', if(number = 15000, ' needle', '')), 'silent', 1, number
FROM numbers({rows})
"""


class Recorded(Clickhouse):
    """A connection that notes how each query ended: `answered`, or with an error's code."""

    def __init__(self, settings):
        super().__init__(settings)
        self.ends = []

    @contextmanager
    def _connection(self):
        try:
            with super()._connection() as connection:
                yield connection
        except QueryRefusedError as error:
            self.ends.append(error.code)
            raise
        self.ends.append("answered")


@pytest.fixture(scope="module")
def clickhouse(engine_settings):
    """A day of which the last two hours are silent."""
    connection = Recorded(engine_settings)
    connection.query(INSERT.format(last=SILENT_NS, rows=ROWS))
    yield connection
    connection.close()


@pytest.fixture
def page(clickhouse):
    reader = LogReader(clickhouse, Settings())

    def ask(q):
        clickhouse.ends.clear()
        filters = LogFilters(workspace_id="silent", q=q)
        return reader.page(PageQuery(filters=filters, span=DAY, limit=100, count=False)).rows

    return ask


def test_what_an_index_finds_far_away_takes_two_queries(page, clickhouse):
    [found] = page("needle")
    assert found["timestamp_ns"] == SILENT_NS - 15_000 * 10**9
    assert clickhouse.ends == ["answered", "answered"]


def test_what_would_be_much_to_read_is_looked_for_window_by_window(page, clickhouse, monkeypatch):
    monkeypatch.setitem(read._LITTLE, "max_rows_to_read", ROWS // 4)
    found = page("often")
    assert [row["chunk_row"] for row in found] == list(range(100))
    # Five minutes; all the rest, refused; an hour; the day.
    assert clickhouse.ends == ["answered", 158, "answered", "answered"]


def test_without_an_index_nothing_is_tried_at_once(page, clickhouse):
    assert len(page("/oft.n s/")) == 100
    assert clickhouse.ends == ["answered"] * 3
