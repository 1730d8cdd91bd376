import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.units import NS_PER_MS
from storage.clickhouse.sql import quoted
from storage.query.logs.counts import INTERVALS_MS, interval_for
from storage.query.logs.search import LogFilters, Position, at, where
from storage.time_range import TimeRange

texts = st.text(min_size=1, max_size=30)
hostile = st.one_of(
    texts,
    st.sampled_from(["' OR 1=1 --", "\\' OR 1=1", "%(v0)s", "%s%d%%", "'; DROP TABLE otel_logs"]),
)
TIME_RANGE = TimeRange(0, 10**18)


def ask(text, search):
    """Filters with a text wherever a client can put one."""
    return LogFilters(
        workspace_id="w",
        client_id=text,
        severities=(text,),
        search=search,
        endpoint=text,
        service_name=text,
        trace_id=text,
        attributes=((text, text),),
    )


@given(hostile.filter(lambda text: text.encode("utf-8", "ignore").decode() == text))
def test_no_text_of_a_client_becomes_sql(text):
    clause = where(ask(text, "x"), TIME_RANGE)
    harmless = where(ask("harmless", "x"), TIME_RANGE)
    assert clause.sql == harmless.sql
    assert clause.params.keys() == harmless.params.keys()


@given(hostile, st.booleans())
def test_a_searched_text_is_only_ever_a_value(text, ascii_only):
    searched = text.encode("ascii", "ignore").decode() if ascii_only else text + "ß"

    clause = where(LogFilters(workspace_id="w", search=searched), TIME_RANGE)

    without_placeholders = re.sub(r"%\(v\d+\)s", "", clause.sql)
    assert re.fullmatch(r"[A-Za-z0-9(),=<>. ]*", without_placeholders)
    assert "'" not in without_placeholders


@given(hostile)
def test_placeholders_and_values_match(text):
    search = text.encode("utf-8", "ignore").decode() or "x"
    clause = where(ask("value", search), TIME_RANGE)
    assert set(re.findall(r"%\((v\d+)\)s", clause.sql)) == set(clause.params)


@pytest.mark.parametrize("workspace_id", ["", "a b", "a'b", "x" * 129, "ok\n", "ä"])
def test_there_is_no_clause_without_a_workspace(workspace_id):
    with pytest.raises(ValueError, match="not a workspace id"):
        LogFilters(workspace_id=workspace_id)


def test_every_clause_begins_with_workspace_and_time():
    for clause in (
        where(LogFilters(workspace_id="acme"), TIME_RANGE),
        where(LogFilters(workspace_id="acme"), TIME_RANGE, "asc", Position(1, 2, 3)),
        at("acme", Position(1, 2, 3)),
    ):
        assert clause.sql.startswith("WorkspaceId = %(v0)s AND Timestamp >= ")
        assert clause.params["v0"] == "acme"


def test_like_signs_of_a_search_stand_for_themselves():
    clause = where(LogFilters(workspace_id="w", search="50%_\\ OFF"), TIME_RANGE)
    assert "%50\\%\\_\\\\ off%" in clause.params.values()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ß retry now", ["retry"]),
        ("ß retry-now; ok then", ["retry", "now", "ok"]),
        ("ßretry now", []),
        ("é", []),
        ("a b ß", ["b"]),
        ("x ähm_y_z", ["y"]),
    ],
)
def test_only_whole_ascii_words_inside_a_search_are_looked_up(text, words):
    clause = where(LogFilters(workspace_id="w", search=text), TIME_RANGE)
    assert clause.sql.count("hasToken(lower(Body)") == len(words)
    assert set(words) <= set(map(str, clause.params.values()))


def test_identifiers_cannot_end_their_quotes():
    assert quoted("a`b\\c") == "`a``b\\\\c`"


times = st.integers(0, 4 * 10**18)


@given(times, times, st.integers(1, 500))
def test_an_interval_gives_no_more_buckets_than_asked_for(one, other, most):
    time_range = TimeRange(min(one, other), max(one, other))

    interval = interval_for(time_range, most)

    width = interval * NS_PER_MS
    count = time_range.last_ns // width - time_range.first_ns // width + 1
    assert count <= most or interval == INTERVALS_MS[-1]
