"""Severity in Python and in SQL, and every level that is shown as the filter that finds it."""

import random
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.clickhouse.client import Clickhouse
from storage.query.logs.search import LogFilters, select, where
from storage.severity import (
    LEVELS,
    NUMBER_OF,
    UNSPECIFIED,
    level_name,
    level_of,
    level_place,
    number_of,
    place_of,
)
from storage.time_range import TimeRange

pytestmark = pytest.mark.integration

WORKSPACE = "severities"
FIRST_NS = 1_784_000_000_000_000_000
TIME_RANGE = TimeRange(FIRST_NS, FIRST_NS + 10**9)
# Texts that name no known level.
OWN_TEXTS = ("", " ", "Achtung", "ACHTUNG", "ошибка", "a, b", "it's %s \\", UNSPECIFIED, "warn!")


def respelled(source, text):
    spellings = [text, text.upper(), text.capitalize(), f"{text}  ", f" {text}"]
    return source.choice(spellings)


def made():
    """Pairs of severity text and number: known texts, own texts, and numbers alone."""
    source = random.Random(8)
    records = []
    for text, number in NUMBER_OF.items():
        records += [(respelled(source, text), n) for n in (0, number, 9)]
    for text in OWN_TEXTS:
        records += [(text, source.randrange(30)) for _ in range(6)]
    records += [("", number) for number in range(256)]
    records += [(text, 0) for text in OWN_TEXTS]
    return records


@pytest.fixture(scope="module")
def stored(migrated):
    clickhouse = Clickhouse(migrated)
    records = made()
    clickhouse.insert(
        "INSERT INTO otel_logs (Timestamp, WorkspaceId, ChunkRow, SeverityText, SeverityNumber)"
        " VALUES",
        [(FIRST_NS, WORKSPACE, place, *record) for place, record in enumerate(records)],
    )
    yield clickhouse, records
    clickhouse.close()


def found(clickhouse, **filters):
    clause = where(LogFilters(workspace_id=WORKSPACE, **filters), TIME_RANGE)
    rows = clickhouse.query(f"SELECT ChunkRow FROM otel_logs WHERE {clause.sql}", clause.params)
    return {place for (place,) in rows}


def in_python(records, **filters):
    about = dict.fromkeys(("body", "trace_id", "endpoint", "client_id", "service_name"), "")
    maps = {"log_attributes": {}, "resource_attributes": {}, "workspace_id": WORKSPACE}
    rows = [
        {**about, **maps, "place": place, "severity_text": text, "severity_number": number}
        for place, (text, number) in enumerate(records)
    ]
    chosen = select(LogFilters(workspace_id=WORKSPACE, **filters), rows)
    return {row["place"] for row in chosen}


def test_the_engine_names_and_places_a_level_as_python_does(stored):
    clickhouse, records = stored
    rows = clickhouse.query(
        f"SELECT ChunkRow, {level_name()}, {level_place()} FROM otel_logs "
        f"WHERE WorkspaceId = '{WORKSPACE}' ORDER BY ChunkRow"
    )
    expected = [
        (place, level_of(*record), place_of(*record)) for place, record in enumerate(records)
    ]
    assert [tuple(row) for row in rows] == expected


def test_every_level_that_is_shown_is_the_filter_that_finds_it(stored):
    clickhouse, records = stored
    shown = Counter(level_of(*record) for record in records)
    assert {*LEVELS, UNSPECIFIED, "ACHTUNG"} < set(shown)
    for name, count in shown.items():
        for spelling in (name, name.lower()):
            by_filter = found(clickhouse, severities=(spelling,))
            assert len(by_filter) == count, spelling
            quoted = spelling.replace("\\", r"\\")
            assert found(clickhouse, q=f'level:"{quoted}"') == by_filter
            assert in_python(records, severities=(spelling,)) == by_filter
            assert in_python(records, q=f'level:"{quoted}"') == by_filter


@pytest.mark.parametrize("text", sorted(NUMBER_OF))
def test_any_spelling_of_a_level_finds_all_its_records(stored, text):
    clickhouse, records = stored
    name = level_of(text, 0)
    expected = {p for p, record in enumerate(records) if level_of(*record) == name}
    assert found(clickhouse, severities=(text.upper(),)) == expected


@pytest.mark.parametrize("number", range(1, 25))
def test_a_least_severity_goes_by_the_number_else_by_the_text(stored, number):
    clickhouse, records = stored
    expected = {p for p, record in enumerate(records) if number_of(*record) >= number}
    assert expected
    assert found(clickhouse, min_severity=number) == expected
    assert in_python(records, min_severity=number) == expected


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(chosen=st.lists(st.sampled_from([*NUMBER_OF, *filter(str.strip, OWN_TEXTS)]), min_size=1))
def test_several_levels_find_the_records_of_each(stored, chosen):
    clickhouse, records = stored
    expected = set()
    for text in chosen:
        expected |= found(clickhouse, severities=(text,))
    assert found(clickhouse, severities=tuple(chosen)) == expected
    assert in_python(records, severities=tuple(chosen)) == expected
