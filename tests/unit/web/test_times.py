"""Times and durations in every notation."""

import datetime as dt
import time

import marshmallow as ma
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.time_range import END_NS, FIRST_NS, TimeRange
from web.common.days import Day, today
from web.common.times import duration_ns, read_time

MS = 10**6
DAY_NS = 86_400 * 10**9
INSTANT_NS = 1_784_000_000 * 10**9
"""2026-07-14T03:33:20Z"""


@pytest.mark.parametrize(
    "written",
    [
        1_784_000_000,
        1_784_000_000_000,
        1_784_000_000_000_000,
        1_784_000_000_000_000_000,
        1_784_000_000.0,
        "1784000000",
        "1784000000.000",
        "1784000000000",
        "1784000000000000000",
        "2026-07-14T03:33:20Z",
        "2026-07-14t03:33:20z",
        "2026-07-14 03:33:20",
        "2026-07-14T03:33:20.000",
        "2026-07-14T05:33:20+02:00",
        "2026-07-14T05:33:20 02:00",
        "2026-07-14T05:33:20+0200",
        "2026-07-14T01:33:20-02",
        "2026-07-14T033320Z",
        " 2026-07-14T03:33:20 UTC ",
    ],
)
def test_an_instant_is_the_same_in_every_notation(written):
    assert read_time(written) == TimeRange(INSTANT_NS, INSTANT_NS + MS - 1)


def test_a_date_is_its_whole_day():
    midnight = INSTANT_NS // DAY_NS * DAY_NS
    day = TimeRange(midnight, midnight + DAY_NS - 1)
    assert read_time("2026-07-14") == read_time("20260714") == day


def test_the_first_and_the_last_day_are_times():
    for written in ("1970-01-01", "19700101"):
        assert read_time(written) == TimeRange(FIRST_NS, FIRST_NS + DAY_NS - 1)
    assert read_time("2105-12-31") == TimeRange(END_NS - DAY_NS, END_NS - 1)


def test_an_instant_within_a_millisecond_is_exact():
    at = INSTANT_NS + 123_456_789
    assert read_time("2026-07-14T03:33:20.123456789Z") == TimeRange(at, at)
    assert read_time(at) == TimeRange(at, at)

    microseconds = at // 1000
    first = microseconds * 1000
    for written in ("2026-07-14T03:33:20,123456Z", microseconds):
        assert read_time(written) == TimeRange(first, first + 999)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("now", 0),
        ("NOW", 0),
        ("now-15m", -900),
        ("-15m", -900),
        ("now-1h30m", -5400),
        ("now+1h", 3600),
        ("now 1h", 3600),
        ("now-1d-12h", -129_600),
        ("now-2weeks", -1_209_600),
    ],
)
def test_a_time_is_counted_from_now(written, seconds):
    before = time.time_ns()
    found = read_time(written)
    assert before <= found.first_ns - seconds * 10**9 <= time.time_ns()
    assert found.last_ns == found.first_ns


def test_a_rounded_time_is_the_whole_unit():
    found = read_time("now-1d/d")
    today_ = dt.datetime.now(dt.UTC).date()
    yesterday = today_ - dt.timedelta(days=1)
    # Midnight may have passed in between.
    assert found in [read_time(yesterday.isoformat()), read_time(today_.isoformat())]

    week = read_time("now/w")
    monday = dt.datetime.fromtimestamp(week.first_ns // 10**9, dt.UTC)
    assert (monday.weekday(), monday.hour) == (0, 0)


@pytest.mark.parametrize(
    "written",
    [
        *("", " ", "yesterday", "2026-02-30", "2026-7-14", "2026-07-14T25:00", "2026-W29-2", "15m"),
        *("now-", "now-1x", "now-1mo", "1e12", "1.2.3", "٣", "2026-07-14T03:33:20+25:00"),
        *(True, None, [1], {}, float("nan"), float("inf"), -1, 10**19, END_NS // MS),
        *("2106-01-01", "1969-12-31", "now-900000000w", "9" * 40),
    ],
)
def test_what_is_no_time_is_refused(written):
    with pytest.raises(ValueError, match=r"(Not a valid time|Must be between|Unknown unit)"):
        read_time(written)


@given(st.integers(FIRST_NS, END_NS - 1))
def test_what_an_answer_says_is_a_time_that_can_be_asked_for(nanoseconds):
    seconds, rest = divmod(nanoseconds, 10**9)
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")

    found = read_time(f"{moment}.{rest:09}Z")

    assert found.first_ns == nanoseconds <= found.last_ns < nanoseconds + MS


@given(st.one_of(st.text(max_size=40), st.from_regex(r"[nowNOW0-9T:.+\-/smhdwZ ]{0,30}\Z")))
def test_any_text_is_a_time_or_refused(text):
    try:
        found = read_time(text)
    except ValueError:
        return
    assert FIRST_NS <= found.first_ns <= found.last_ns < END_NS


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [
        *((60_000, 60_000), ("60000", 60_000), ("1m", 60_000), ("90s", 90_000), ("1.5s", 1500)),
        *(("1h30m", 5_400_000), ("2 hours", 7_200_000), ("1d", 86_400_000), ("250.5", 250.5)),
        *(("5min", 300_000), ("100us", 0.1), ("0", 0)),
    ],
)
def test_a_duration_is_read(written, milliseconds):
    assert duration_ns(written) == milliseconds * MS


@pytest.mark.parametrize("written", ["", "m", "1x", "1m30", "one", True, None, [], "1m!", "1,5s"])
def test_what_is_no_duration_is_refused(written):
    with pytest.raises(ValueError, match=r"(Not a valid duration|Unknown unit)"):
        duration_ns(written)


def test_a_day_is_named_by_any_time_of_it():
    day = Day()
    expected = dt.date(2024, 9, 14)

    for written in ("2024-09-14", "1726272000", "1726272000000", "2024-09-14T23:59:59z"):
        assert day.deserialize(written) == expected
    assert day.deserialize("now") in {today(), today() - dt.timedelta(days=1)}

    for wrong in ("20240914", "yesterday", "2024-9-14", "9999-12-31"):
        with pytest.raises(ma.ValidationError):
            day.deserialize(wrong)
