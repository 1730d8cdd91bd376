"""A query's tree to a condition in SQL, in the forms that the tables' indexes answer.

No condition is ever NULL, so that its negation finds all other records.
"""

import re
from collections.abc import Callable, Iterator, Sequence

from storage.language.fields import Attribute, AttributeMap, Case, Column, Kind
from storage.language.required import required_part, required_words
from storage.language.tree import (
    And,
    Bound,
    Comparison,
    Equals,
    Exists,
    Like,
    Not,
    Or,
    Pattern,
    Query,
    Range,
    Regex,
    Test,
    Wild,
)
from storage.language.words import (
    begins_with_word,
    ends_with_word,
    ignoring_case,
    spellings,
    whole_words,
)
from storage.severity import UNSPECIFIED, has_severity, level_name, level_place, places_of
from storage.sql import Bind

_IN_WORD = r"[0-9A-Za-z\x{80}-\x{10FFFF}]"
_NO_WORD = r"[^0-9A-Za-z\x{80}-\x{10FFFF}]"
_LIKE = {Wild.ANY: "%", Wild.ONE: "_"}
_IN_WORDS = {Wild.ANY: f"{_IN_WORD}*", Wild.ONE: _IN_WORD}
_FEW_WORDS = 8


def condition(query: Query, bind: Bind) -> str:
    """The condition for a query's records; all values go through `bind`."""
    match query:
        case And(parts=parts):
            return _joined(" AND ", parts, bind) if parts else "1"
        case Or(parts=parts):
            return _joined(" OR ", parts, bind)
        case Not(part=part):
            return f"NOT ({condition(part, bind)})"
        case Comparison(field=Attribute() as field, test=test):
            return f"({_attribute(field, test, bind)})"
        case Comparison(field=Column() as field, test=test):
            return f"({_OF_KIND[field.kind](field, test, bind)})"
    raise TypeError(f"{query!r} is no query")


def has_words(sql: str, words: Sequence[str], bind: Bind) -> str:
    """The condition for a text that contains each of these words, of which there is at least one.

    The index answers both forms. Where a part has no index yet, ClickHouse finds a few tokens
    sooner one by one than with hasAllTokens, which cuts the whole text into words.
    """
    different = list(dict.fromkeys(words))
    if len(different) > _FEW_WORDS:
        return f"hasAllTokens({sql}, {bind(different)})"
    return " AND ".join(f"hasToken({sql}, {bind(word)})" for word in different)


def _joined(sign: str, parts: tuple[Query, ...], bind: Bind) -> str:
    return "(" + sign.join(condition(part, bind) for part in parts) + ")"


def _text(column: Column, test: Test, bind: Bind) -> str:
    sql = f"lower({column.sql})" if column.case is Case.IGNORED else column.sql
    if isinstance(test, Exists):
        return f"{sql} != ''"
    return _value(sql, test if column.case is Case.MATTERS else ignoring_case(test), bind)


def _words(column: Column, test: Test, bind: Bind) -> str:
    match test:
        case Equals(value=text):
            return _fits(column, (text,), bind)
        case Like(pattern=pattern):
            return _fits(column, pattern, bind)
        case Regex(expression=expression):
            # The index cannot be asked for an expression on mixed case.
            required = _required(f"lower({column.sql})", expression, bind)
            return " AND ".join([*required, _text(column, test, bind)])
    return _text(column, test, bind)


def _required(sql: str, expression: str, bind: Bind) -> Iterator[str]:
    """What the index can be asked for that every match of an expression has."""
    if words := required_words(expression):
        yield has_words(sql, words, bind)
    elif part := required_part(expression):
        yield f"{sql} LIKE {bind(f'%{part}%')}"


def _fits(column: Column, pattern: Pattern, bind: Bind) -> str:
    ways = [_spelled(f"lower({column.sql})", way, bind) for way in spellings(pattern)]
    return ways[0] if len(ways) == 1 else " OR ".join(f"({way})" for way in ways)


def _spelled(sql: str, pattern: Pattern, bind: Bind) -> str:
    # The index answers has_words and LIKE; the expression then looks at what is left.
    words = whole_words(pattern)
    checks = [has_words(sql, words, bind)] if words else []
    if pattern == (*words,):
        return checks[0]
    anywhere = _is_anywhere(pattern)
    if anywhere or len(pattern) > 1:
        checks.append(f"{sql} LIKE {bind(f'%{_like(pattern)}%')}")
    if not anywhere:
        checks.append(f"match({sql}, {bind(_expression(pattern))})")
    return " AND ".join(checks)


def _is_anywhere(pattern: Pattern) -> bool:
    """Whether LIKE says all: one text, whatever is around it."""
    texts = [piece for piece in pattern if piece is not Wild.ANY]
    bound = begins_with_word(pattern) or ends_with_word(pattern)
    return texts != [Wild.ONE] and len(texts) == 1 and not bound


def _expression(pattern: Pattern) -> str:
    pieces = [_IN_WORDS[piece] if isinstance(piece, Wild) else _escaped(piece) for piece in pattern]
    before = f"(?:^|{_NO_WORD})" if begins_with_word(pattern) else ""
    after = f"(?:{_NO_WORD}|$)" if ends_with_word(pattern) else ""
    return f"{before}{''.join(pieces)}{after}"


def _number(column: Column, test: Test, bind: Bind) -> str:
    def scaled(text: str) -> str:
        return f"toFloat64({bind(text)}) * {column.unit}"

    match test:
        case Equals(value=text):
            return f"{column.sql} = {scaled(text)}"
        case Range():
            return _between(column.sql, test, lambda bound: scaled(bound.value))
    return f"{column.sql} != 0"


def _level(_column: Column, test: Test, bind: Bind) -> str:
    match test:
        case Equals(value=text):
            return has_severity([text], bind)
        case Range():
            places = _between(level_place(), test, lambda bound: bind(_place(bound)))
            return f"{level_place()} != 0 AND {places}"
        case Exists():
            return _has_level()
    pattern = ignoring_case(test)
    names = (f"lower({level_name()})", "lower(SeverityText)")
    ways = " OR ".join(_value(name, pattern, bind) for name in names)
    return f"{_has_level()} AND ({ways})"


def _place(bound: Bound) -> int:
    return places_of(bound.value)[0]


def _has_level() -> str:
    return f"({level_name()} != '{UNSPECIFIED}')"


_OF_KIND: dict[Kind, Callable[[Column, Test, Bind], str]] = {
    Kind.TEXT: _text,
    Kind.WORDS: _words,
    Kind.NUMBER: _number,
    Kind.LEVEL: _level,
}


def _attribute(attribute: Attribute, test: Test, bind: Bind) -> str:
    name = bind(attribute.name)
    ways: list[str] = []
    missing = ""
    for place in attribute.maps:
        ways.append(f"{missing}{_in_map(place, name, test, bind)}")
        missing += f"NOT mapContains({place.sql}, {name}) AND "
    if attribute.otherwise is not None:
        held = _text(attribute.otherwise, test, bind)
        ways.append(f"{missing}{attribute.otherwise.sql} != '' AND {held}")
    return " OR ".join(ways)


def _in_map(place: AttributeMap, name: str, test: Test, bind: Bind) -> str:
    # A map gives '' for a name that it does not have. Of a text that is not empty the index on
    # the map's values can be asked.
    value, contains = f"{place.sql}[{name}]", f"mapContains({place.sql}, {name})"
    if isinstance(test, Exists):
        return contains
    held = _value(value, test, bind)
    if not isinstance(test, Equals) or not test.value:
        return f"{contains} AND {held}"
    asked = f"has(mapValues({place.sql}), {bind(test.value)}) AND " if place.index_by_value else ""
    return asked + held


def _value(sql: str, test: Test, bind: Bind) -> str:
    match test:
        case Equals(value=text):
            return f"{sql} = {bind(text)}"
        case Like(pattern=pattern):
            return f"{sql} LIKE {bind(_like(pattern))}"
        case Regex(expression=expression):
            return f"match({sql}, {bind(f'(?s){expression}')})"
        case Range(numeric=True):
            number = f"toFloat64OrNull({sql})"
            held = _between(number, test, lambda bound: f"toFloat64({bind(bound.value)})")
            return f"ifNull({held}, 0)"
        case Range():
            return _between(sql, test, lambda bound: bind(bound.value))
    raise TypeError(f"{test!r} is no test of a value")


def _between(sql: str, test: Range, bound_sql: Callable[[Bound], str]) -> str:
    ends = []
    if test.low is not None:
        ends.append(f"{sql} {'>=' if test.low.included else '>'} {bound_sql(test.low)}")
    if test.high is not None:
        ends.append(f"{sql} {'<=' if test.high.included else '<'} {bound_sql(test.high)}")
    return " AND ".join(ends)


def _like(pattern: Pattern) -> str:
    return "".join(
        _LIKE[piece] if isinstance(piece, Wild) else re.sub(r"([\\%_])", r"\\\1", piece)
        for piece in pattern
    )


def _escaped(text: str) -> str:
    return re.sub(r"[\x00-\x7f]", _escaped_sign, text)


def _escaped_sign(match: re.Match[str]) -> str:
    sign = match[0]
    return sign if sign.isalnum() else rf"\x{ord(sign):02x}"
