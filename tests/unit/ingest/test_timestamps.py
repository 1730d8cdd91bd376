from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.convert.json.timestamps import unix_ns
from storage.time_range import END_NS

NOON = 1_763_726_400_000_000_000  # 2025-11-21T12:00:00Z
MIDNIGHT = NOON - 12 * 3600 * 10**9
RANGE = "must be between 1970-01-01 and 2106-01-01"


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2025-11-21T12:00:00Z", NOON),
        ("2025-11-21t12:00:00z", NOON),
        ("2025-11-21", MIDNIGHT),
        ("20251121", MIDNIGHT),
        ("2025/11/21 12:00:00", NOON),
        ("20251121T120000Z", NOON),
        ("2025-11-21 12:00:00 UTC", NOON),
        ("2025-11-21 12:00:00+00", NOON),
        ("2025-11-21 12:00:00,123", NOON + 123_000_000),
        ("2025-11-21T12:00:00.123456", NOON + 123_456_000),
        ("2025-11-21T12:00:00.1234567", NOON + 123_456_700),
        ("Fri, 21 Nov 2025 12:00:00 GMT", NOON),
        ("21 Nov 2025 13:00:00 +0100", NOON),
        ("2025-11-21 12:00:00", NOON),
        ("2025-11-21T12:00", NOON),
        (" 2025-11-21T12:00:00 ", NOON),
        ("2025-11-21T14:00:00+02:00", NOON),
        ("2025-11-21T06:30:00-0530", NOON),
        ("2025-11-21T12:00:00.5Z", NOON + 500_000_000),
        ("2025-11-21T12:00:00,123456789Z", NOON + 123_456_789),
        ("2025-11-21T12:00:00.1234567891234Z", NOON + 123_456_789),
        ("1970-01-01T00:00:00Z", 0),
        ("2105-12-31T23:59:59.999999999Z", END_NS - 1),
    ],
)
def test_iso_8601_text_is_read_to_the_nanosecond(text, ns):
    assert unix_ns(text) == ns


@pytest.mark.parametrize(
    ("number", "ns"),
    [
        (0, 0),
        (1, 10**9),
        (1_763_726_400, NOON),
        (1_763_726_400.25, NOON + 250_000_000),
        (1_763_726_400.123, NOON + 123_000_000),
        (1_763_726_400.123457, NOON + 123_457_000),
        (1_763_726_400_000.7, NOON + 700_000),
        (1.7637264e18, NOON),
        (1_763_726_400_000, NOON),
        (1_763_726_400_000_000, NOON),
        (NOON, NOON),
        (NOON + 789, NOON + 789),
        (END_NS - 1, END_NS - 1),
        ("1763726400", NOON),
        (" 1763726400.123456789 ", NOON + 123_456_789),
        ("1763726400000", NOON),
        ("1763726400000.5", NOON + 500_000),
        (str(NOON + 789), NOON + 789),
    ],
)
def test_a_number_or_its_text_is_seconds_milli_micro_or_nanoseconds_by_its_size(number, ns):
    assert unix_ns(number) == ns


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "must be ISO 8601 text or a number"),
        (True, "must be ISO 8601 text or a number"),
        ([], "must be ISO 8601 text or a number"),
        ("", "is not an ISO 8601 date and time"),
        ("yesterday", "is not an ISO 8601 date and time"),
        ("12:00:00", "is not an ISO 8601 date and time, such as 2026-10-01T12:00:00Z"),
        ("2025-1121", "is not an ISO 8601 date and time"),
        ("1e400", "is not an ISO 8601 date and time"),
        ("9" * 50, "is not an ISO 8601 date and time"),
        ("Fri, 31 Nov 2025 12:00:00 GMT", "is not a date and time"),
        ("2025-13-21T12:00:00Z", "is not a date and time"),
        ("2025-02-30T12:00:00Z", "is not a date and time"),
        ("2025-11-21T25:00:00Z", "is not a date and time"),
        ("2025-11-21T12:00:00+99:00", "is not a date and time"),
        ("1969-12-31T23:59:59Z", RANGE),
        ("2106-01-01T00:00:00Z", RANGE),
        ("0001-01-01T00:00:00+05:00", RANGE),
        ("9999-12-31T23:59:59-05:00", RANGE),
        ("19580414", f"{RANGE}; eight digits are read as a date"),
        ("-1", RANGE),
        (-1, "; -1 was read as seconds since 1970"),
        (-0.5, RANGE),
        ("-0.5", RANGE),
        (END_NS, f"{RANGE}; {END_NS} was read as ns since 1970"),
        (99_999_999_999, "; 99999999999 was read as seconds since 1970"),
        (10**400, RANGE),
        (float("nan"), "must be a finite number"),
        (float("-inf"), "must be a finite number"),
    ],
)
def test_what_is_no_timestamp_is_refused_with_a_reason(value, reason):
    with pytest.raises(ValueError, match=reason):
        unix_ns(value)


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
moments = st.timedeltas(timedelta(days=1), timedelta(days=49_000)).map(lambda since: EPOCH + since)


@given(moments, st.integers(-14 * 60, 14 * 60))
def test_any_moment_in_any_zone_is_the_moment_that_the_standard_library_reads(moment, minutes):
    there = moment.astimezone(timezone(timedelta(minutes=minutes)))
    ns = (moment - EPOCH) // timedelta(microseconds=1) * 1000

    for text in (there.isoformat(), there.isoformat().lower(), there.isoformat(" ")):
        assert unix_ns(text) == ns
    # Longer than what the standard library reads: the same to the nanosecond.
    assert unix_ns(f"{moment:%Y-%m-%dT%H:%M:%S.%f}789Z") == ns + 789


@given(st.integers(0, END_NS - 1))
def test_a_time_is_the_same_as_a_number_of_any_unit_and_as_its_text(ns):
    # A unit in nanoseconds, and the least number that is read in this unit.
    for unit, least in ((1, 10**17), (10**3, 10**14), (10**6, 10**11), (10**9, 0)):
        number = ns // unit
        is_read_as_date = len(str(number)) == 8
        if number >= least and not is_read_as_date:
            assert unix_ns(number) == unix_ns(str(number)) == number * unit


@given(st.one_of(st.text(), st.floats(), st.integers(), st.from_regex(r"[0-9T:+ .,Zz-]{1,30}")))
def test_anything_else_is_a_moment_or_a_value_error(value):
    try:
        assert 0 <= unix_ns(value) < END_NS
    except ValueError as error:
        assert str(error)  # noqa: PT017 - either outcome is right
