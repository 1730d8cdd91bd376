"""Maps a log record's severity text and number to its level, in Python and in SQL.

If the text is a usual spelling of a level, that is the record's level; any other text, in upper
case, is a level of its own; without a text the number determines the level. The severity number is
the record's own, else that of its text.
"""

from collections.abc import Iterable, Sequence

from storage.clickhouse.sql import Bind, ascii_lower, ascii_upper

LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
"""Names of the severity numbers, four each from 1, as in OpenTelemetry's log data model."""

UNSPECIFIED = "UNSPECIFIED"
"""Level of a record without a severity text and number."""

NUMBERS_A_LEVEL = 4

MAX_NUMBER = NUMBERS_A_LEVEL * len(LEVELS)
"""The highest severity number, FATAL4."""

_USUAL = {
    1: "trace trc trce verbose vrb v finest silly",
    5: "debug dbg dbug d finer",
    6: "fine",
    7: "config",
    9: "info inf information informational i",
    10: "notice",
    13: "warn wrn warning w",
    17: "error err eror e fail severe",
    21: "fatal ftl f critical crit dpanic",
    22: "alert",
    23: "panic",
    24: "emergency emerg",
}
_NUMBERED = {
    f"{name.lower()}{step}": NUMBERS_A_LEVEL * place + step
    for place, name in enumerate(LEVELS)
    for step in range(1, NUMBERS_A_LEVEL + 1)
}

NUMBER_OF = {
    **{text: number for number, texts in _USUAL.items() for text in texts.split()},
    **_NUMBERED,
}
"""Severity numbers of the usual spellings of severity texts, in lower case.

From OpenTelemetry, syslog, the JDK, .NET, Serilog, and loggers of Python, Go and Node.
"""

LEVEL_OF = {
    text: (number + NUMBERS_A_LEVEL - 1) // NUMBERS_A_LEVEL for text, number in NUMBER_OF.items()
}
"""Places of the levels of these spellings, from 1 (TRACE) to 6 (FATAL)."""

_NO_TEXTS = ("", UNSPECIFIED.lower())
_NEVER_A_TEXT = ("Never",)
_NEVER_A_PLACE = (len(LEVELS) + 1,)
_TEXT = "trimBoth(SeverityText)"
_BY_NUMBER = f"if(SeverityNumber > {MAX_NUMBER}, 0, intDiv(SeverityNumber + 3, 4))"


def level_name() -> str:
    """SQL for a record's level: a name in `LEVELS`, `UNSPECIFIED`, or its text in upper case."""
    return f"if({_has_no_text()}, {_name_of(_BY_NUMBER)}, {named_level(_TEXT)})"


def named_level(text: str) -> str:
    """SQL for the level that a text spells, else the text in upper case."""
    return f"transform(lower({text}), {_spellings()}, {_names_of_spellings()}, upper({text}))"


def level_place() -> str:
    """SQL for the place of a record's level, by its text if known, else by its number; or 0."""
    return place_of_text(_TEXT, _BY_NUMBER)


def place_of_text(text: str, otherwise: str) -> str:
    """SQL for the place of the level that a text spells, else the SQL `otherwise`."""
    places = ", ".join(map(str, LEVEL_OF.values()))
    return f"transform(lower({text}), {_spellings()}, [{places}], {otherwise})"


def has_severity(texts: Sequence[str], bind: Bind) -> str:
    """The condition for records of these levels, in any spelling.

    A text that does not spell a level matches records with that text, in any case.
    """
    wanted = {place for text in texts for place in places_of(text)}
    others = {_plain(text) for text in texts if not places_of(text)}
    spelled = {text for text, place in LEVEL_OF.items() if place in wanted}
    by_text = f"lower({_TEXT}) IN {bind(tuple(sorted(others | spelled)) or _NEVER_A_TEXT)}"
    by_number = f"{_BY_NUMBER} IN {bind(tuple(sorted(wanted)) or _NEVER_A_PLACE)}"
    return f"({by_text} OR ({_has_no_text()} AND {by_number}))"


def at_least(number: int, bind: Bind) -> str:
    """The condition for records with this severity number or a higher one."""
    spelled = tuple(text for text, known in NUMBER_OF.items() if known >= number)
    by_text = f"lower({_TEXT}) IN {bind(spelled)}"
    has_number = f"(SeverityNumber > 0 AND SeverityNumber <= {MAX_NUMBER})"
    least = bind(number)
    return f"if({has_number}, SeverityNumber >= {least}, {by_text})"


def places_of(text: str) -> tuple[int, ...]:
    """The place of the level that a text spells: 0 for `UNSPECIFIED`, empty if it spells none."""
    plain = _plain(text)
    if plain in _NO_TEXTS:
        return (0,)
    return (LEVEL_OF[plain],) if plain in LEVEL_OF else ()


def level_of(text: str, number: int) -> str:
    """A record's level, as :func:`level_name`."""
    if _plain(text) not in _NO_TEXTS:
        places = places_of(text)
        return LEVELS[places[0] - 1] if places else ascii_upper(text.strip(" "))
    place = _place_of_number(number)
    return LEVELS[place - 1] if place else UNSPECIFIED


def place_of(text: str, number: int) -> int:
    """The place of a record's level, as :func:`level_place`."""
    return LEVEL_OF.get(_plain(text), _place_of_number(number))


def number_of(text: str, number: int) -> int:
    """A record's severity number, else that of its text, else 0."""
    return number if 0 < number <= MAX_NUMBER else NUMBER_OF.get(_plain(text), 0)


def is_of(texts: Sequence[str], text: str, number: int) -> bool:
    """Whether the condition of :func:`has_severity` holds for a record."""
    name = level_of(text, number)
    return any(level_of(each, 0) == name for each in texts)


def _plain(text: str) -> str:
    return ascii_lower(text.strip(" "))


def _place_of_number(number: int) -> int:
    return (number + 3) // 4 if number <= MAX_NUMBER else 0


def _has_no_text() -> str:
    return f"lower({_TEXT}) IN ('', '{UNSPECIFIED.lower()}')"


def _name_of(place: str) -> str:
    places = ", ".join(str(place) for place in range(1, len(LEVELS) + 1))
    return f"transform({place}, [{places}], {_texts(LEVELS)}, '{UNSPECIFIED}')"


def _spellings() -> str:
    return _texts(LEVEL_OF)


def _names_of_spellings() -> str:
    return _texts(LEVELS[place - 1] for place in LEVEL_OF.values())


def _texts(texts: Iterable[str]) -> str:
    listed = ", ".join(f"'{text}'" for text in texts)
    return f"[{listed}]"
