"""Filters in Python and in SQL: the live tail finds what a search finds."""

import random

import pytest

from config.settings import Settings
from storage.client import Clickhouse
from storage.logs.evaluate import select
from storage.logs.read import LogReader, PageQuery
from storage.logs.search import LogFilters
from storage.sql import TimeRange
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
    """Reader over the seeded records, and all of them as rows."""
    clickhouse = Clickhouse(engine_settings)
    reader = LogReader(clickhouse, Settings())
    rows = []
    for workspace in ("default", "acme"):
        filters = LogFilters(workspace_id=workspace)
        rows += reader.page(PageQuery(filters=filters, span=WHOLE, limit=1000)).rows
    assert len(rows) == len(seeded)
    yield reader, rows
    clickhouse.close()


def combinations():
    """Each filter alone, and some of them together."""
    source = random.Random(4)
    single = [{name: value} for name, values in CHOICES.items() for value in values]
    single += [{"search": body} for body in BODIES]
    joined = [
        {name: source.choice(CHOICES[name]) for name in source.sample(sorted(CHOICES), 2)}
        for _ in range(40)
    ]
    return [{}, *single, *joined]


def test_a_row_passes_in_python_exactly_where_it_does_in_sql(everything):
    reader, rows = everything
    found = 0
    for chosen in combinations():
        filters = LogFilters(workspace_id="default", **chosen)
        page = reader.page(PageQuery(filters=filters, span=WHOLE, limit=1000, count=False))
        expected = {(row["timestamp_ns"], row["chunk_id"], row["chunk_row"]) for row in page.rows}
        passed = select(filters, rows)
        assert {(r["timestamp_ns"], r["chunk_id"], r["chunk_row"]) for r in passed} == expected, (
            chosen
        )
        found += bool(expected)
    assert found > 30
