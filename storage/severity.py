"""Severity of a log record: its text, else the level of its number, as SQL."""

from collections.abc import Sequence

from storage.sql import Bind, ascii_lower

LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
"""Names of the severity numbers, four numbers each from 1, as OpenTelemetry's log data model."""

LEVEL_OF = {
    **{name.lower(): place for place, name in enumerate(LEVELS, 1)},
    "information": 3,
    "warning": 4,
    "err": 5,
    "critical": 6,
}
"""Places of the names that severity texts have, in lower case: from 1, TRACE, to 6, FATAL."""

_PLACES = range(1, len(LEVELS) + 1)


def level_name() -> str:
    """SQL for a record's severity in capitals: its text, else its number's level."""
    names = ", ".join(f"'{name}'" for name in LEVELS)
    places = ", ".join(map(str, _PLACES))
    level = f"transform(intDiv(SeverityNumber + 3, 4), [{places}], [{names}], 'UNSPECIFIED')"
    return f"if(SeverityText != '', upper(SeverityText), {level})"


def level_place() -> str:
    """SQL for the place of a record's level: its text's if that is known, else its number's.

    0 for a record that has neither.
    """
    names = ", ".join(f"'{name}'" for name in LEVEL_OF)
    places = ", ".join(map(str, LEVEL_OF.values()))
    by_number = "intDiv(SeverityNumber + 3, 4)"
    return f"transform(lower(SeverityText), [{names}], [{places}], {by_number})"


def has_severity(texts: Sequence[str], bind: Bind) -> str:
    """The condition for records of these severity texts, in any case.

    A record without a text counts by its number's level.
    """
    wanted = tuple(ascii_lower(text) for text in texts)
    condition = f"lower(SeverityText) IN {bind(wanted)}"
    numbers = numbers_of(wanted)
    if numbers:
        condition += f" OR (SeverityText = '' AND SeverityNumber IN {bind(numbers)})"
    return f"({condition})"


def numbers_of(texts: Sequence[str]) -> tuple[int, ...]:
    """The severity numbers that these texts, in lower case, are levels of."""
    places = {LEVEL_OF[text] for text in texts if text in LEVEL_OF}
    return tuple(sorted(4 * place - step for place in places for step in range(4)))
