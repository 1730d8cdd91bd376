from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.timestamps import unix_ns

NOON = 1_763_726_400_000_000_000  # 2025-11-21T12:00:00Z


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2025-11-21T12:00:00Z", NOON),
        ("2025-11-21t12:00:00z".replace("t", "T"), NOON),
        ("2025-11-21 12:00:00", NOON),
        ("2025-11-21T12:00", NOON),
        (" 2025-11-21T12:00:00 ", NOON),
        ("2025-11-21T14:00:00+02:00", NOON),
        ("2025-11-21T06:30:00-0530", NOON),
        ("2025-11-21T12:00:00.5Z", NOON + 500_000_000),
        ("2025-11-21T12:00:00,123456789Z", NOON + 123_456_789),
        ("2025-11-21T12:00:00.1234567891234Z", NOON + 123_456_789),
        ("1970-01-01T00:00:00Z", 0),
        ("2262-04-11T23:47:16.854775807Z", 2**63 - 1),
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
        (99_999_999_999, 2**63),
        (1_763_726_400_000, NOON),
        (1_763_726_400_000_000, NOON),
        (NOON, NOON),
        (NOON + 789, NOON + 789),
        (2**63 - 1, 2**63 - 1),
    ],
)
def test_a_number_is_seconds_milli_micro_or_nanoseconds_by_its_size(number, ns):
    if ns >= 2**63:
        with pytest.raises(ValueError, match="between 1970-01-01 and 2262-04-11"):
            unix_ns(number)
    else:
        assert unix_ns(number) == ns


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "must be ISO 8601 text or a number"),
        (True, "must be ISO 8601 text or a number"),
        ([], "must be ISO 8601 text or a number"),
        ("", "is not an ISO 8601 date and time"),
        ("yesterday", "is not an ISO 8601 date and time"),
        ("2025-11-21", "is not an ISO 8601 date and time"),
        ("1763726400", "is not an ISO 8601 date and time"),
        ("2025-13-21T12:00:00Z", "is not a date and time"),
        ("2025-02-30T12:00:00Z", "is not a date and time"),
        ("2025-11-21T25:00:00Z", "is not a date and time"),
        ("2025-11-21T12:00:00+99:00", "is not a date and time"),
        ("1969-12-31T23:59:59Z", "between 1970-01-01 and 2262-04-11"),
        ("2262-04-11T23:47:17Z", "between 1970-01-01 and 2262-04-11"),
        (-1, "between 1970-01-01 and 2262-04-11"),
        (2**63, "between 1970-01-01 and 2262-04-11"),
        (10**400, "between 1970-01-01 and 2262-04-11"),
        (float("nan"), "must be a finite number"),
        (float("-inf"), "must be a finite number"),
    ],
)
def test_what_is_no_timestamp_is_refused_with_a_reason(value, reason):
    with pytest.raises(ValueError, match=reason):
        unix_ns(value)


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
moments = st.timedeltas(timedelta(days=1), timedelta(days=106_000)).map(lambda since: EPOCH + since)


@given(moments, st.integers(-14 * 60, 14 * 60))
def test_any_moment_in_any_zone_is_the_moment_that_the_standard_library_reads(moment, minutes):
    there = moment.astimezone(timezone(timedelta(minutes=minutes)))
    since = moment - EPOCH
    assert unix_ns(there.isoformat()) == since // timedelta(microseconds=1) * 1000


@given(st.one_of(st.text(), st.floats(), st.integers()))
def test_anything_else_is_a_moment_or_a_value_error(value):
    try:
        assert 0 <= unix_ns(value) < 2**63
    except ValueError as error:
        assert str(error)  # noqa: PT017 - either outcome is right
