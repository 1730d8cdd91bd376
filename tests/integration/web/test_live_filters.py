"""Filters in Python and in SQL find the same: the live tail shows what a search finds."""

import random

import pytest

from config.settings import Settings
from storage.clickhouse.client import Clickhouse
from storage.query.logs.read import LogReader, PageQuery
from storage.query.logs.search import LogFilters, select
from storage.time_range import TimeRange
from tests.integration.web.conftest import BODIES, FIRST_NS, SPAN_MS

pytestmark = pytest.mark.integration

WHOLE = TimeRange(FIRST_NS - 10**9, FIRST_NS + (SPAN_MS + 10_000) * 1_000_000)

CHOICES = {
    "client_id": ["web", "nobody"],
    "severities": [("info",), ("Warning", "ERROR"), ("error",), ("none",)],
    "min_severity": [1, 9, 17, 24],
    "service_name": ["cart", "it's `odd` \\ %s", "nobody"],
    "endpoint": ["/login", "/nowhere"],
    "trace_id": [f"{3:032x}"],
    "attributes": [
        (("region", "eu"),),
        (("region", ""),),
        (("empty", ""),),
        (("user.id", "2"), ("region", "asia")),
        (("no", ""),),
    ],
    "search": ["timeout", "%", "_", "\\b", "'", "ОШИБКА", "ошибка соединения: CODE", "NAÏVE", "é"],
    "q": ["timeout -level:error", "service:cart OR region:eu", 'body:"100 percent_done"'],
}


@pytest.fixture(scope="module")
def everything(engine_settings, seeded):
    """A reader of the seeded records, and all of their rows."""
    clickhouse = Clickhouse(engine_settings)
    reader = LogReader(clickhouse, Settings())
    rows = []
    for workspace in ("default", "acme"):
        filters = LogFilters(workspace_id=workspace)
        rows += reader.page(PageQuery(filters=filters, time_range=WHOLE, limit=1000)).rows
    assert len(rows) == len(seeded)
    yield reader, rows
    clickhouse.close()


def combinations():
    """Each filter alone, and some of them together."""
    source = random.Random(4)
    single = [{}]
    for name, values in CHOICES.items():
        single += [{name: value} for value in values]
    single += [{"search": body} for body in BODIES]

    pairs = []
    for _ in range(40):
        names = source.sample(sorted(CHOICES), 2)
        pairs.append({name: source.choice(CHOICES[name]) for name in names})
    return single + pairs


def keys_of(rows):
    return {(row["timestamp_ns"], row["chunk_id"], row["chunk_row"]) for row in rows}


def test_a_row_passes_in_python_exactly_where_it_does_in_sql(everything):
    reader, rows = everything
    with_results = 0
    for chosen in combinations():
        filters = LogFilters(workspace_id="default", **chosen)
        query = PageQuery(filters=filters, time_range=WHOLE, limit=1000, count=False)
        expected = keys_of(reader.page(query).rows)
        assert keys_of(select(filters, rows)) == expected, chosen
        with_results += bool(expected)
    assert with_results > 30
