import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.units import NS_PER_HOUR, NS_PER_MS
from storage.query.metrics.filters import MetricFilters, where
from storage.query.metrics.kinds import KINDS
from storage.query.metrics.streams import SERVICE, Windows, data_points
from storage.time_range import LAST_MS, TimeRange

TIME_RANGE = TimeRange(0, 10**18)
DAY_MS = 86_400_000
WINDOWS = Windows(TIME_RANGE, DAY_MS)

hostile = st.one_of(
    st.text(min_size=1, max_size=30),
    st.sampled_from(["' OR 1=1 --", "\\'", "%(v0)s", "%s%d%%", "'; DROP TABLE otel_logs", "`"]),
    # Names that the code knows are columns, not attributes.
).filter(lambda text: text not in SERVICE)


def filters(text):
    """Filters with a text wherever a client can put one."""
    return MetricFilters(
        workspace_id="w",
        client_id=text,
        metric=text,
        prefix=text,
        search=text,
        service_name=text,
        attributes=((text, text),),
    )


@given(hostile, st.sampled_from(list(KINDS.values())))
def test_no_text_of_a_client_becomes_sql(text, kind):
    query = data_points(kind, filters(text), WINDOWS, (text, f"{text}!"))
    harmless = data_points(kind, filters("harmless"), WINDOWS, ("harmless", "too"))
    assert query.sql == harmless.sql
    assert set(re.findall(r"%\((v\d+)\)s", query.sql)) == set(query.params)


@pytest.mark.parametrize("workspace_id", ["", "a b", "a'b", "x" * 129, "ok\n", "ä"])
def test_there_is_no_clause_without_a_workspace(workspace_id):
    with pytest.raises(ValueError, match="not a workspace id"):
        MetricFilters(workspace_id=workspace_id)


def test_every_clause_begins_with_workspace_and_time():
    clause = where(MetricFilters(workspace_id="acme"), TIME_RANGE)
    assert clause.sql.startswith("WorkspaceId = %(v0)s AND TimeUnix >= ")
    assert clause.params["v0"] == "acme"


def test_like_signs_of_a_search_stand_for_themselves():
    clause = where(MetricFilters(workspace_id="w", search="50%_\\"), TIME_RANGE)
    assert "%50\\%\\_\\\\%" in clause.params.values()


times = st.integers(0, LAST_MS)


@given(times, times, st.integers(1, 366 * DAY_MS))
def test_windows_cover_the_range_and_begin_at_multiples_of_their_width(one, other, width):
    time_range = TimeRange(min(one, other) * NS_PER_MS, (max(one, other) + 1) * NS_PER_MS - 1)

    windows = Windows(time_range, width)

    assert windows.starts_ms[0] % width == 0
    assert windows.starts_ms.step == width
    covered = windows.covered
    assert covered.first_ns <= time_range.first_ns < covered.first_ns + width * NS_PER_MS
    assert time_range.last_ns <= covered.last_ns < (LAST_MS + 1) * NS_PER_MS
    assert windows.starts_ms[-1] * NS_PER_MS <= time_range.last_ns
    assert windows.with_lookback.first_ns == max(0, covered.first_ns - NS_PER_HOUR)
