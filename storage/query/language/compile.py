"""Compiles a query's tree to an SQL condition that can use the tables' indexes.

A condition is never NULL, so its negation finds all other records.
"""

import re
from collections.abc import Callable, Iterator, Sequence

from storage.clickhouse.sql import Bind
from storage.query.escaping import escaped
from storage.query.language import template
from storage.query.language.fields import Attribute, AttributeMap, Case, ColumnField, FieldType
from storage.query.language.letters import expression
from storage.query.language.required import required_part, required_words, words_of_template
from storage.query.language.tree import (
    And,
    Bound,
    Comparison,
    Contains,
    Equals,
    Exists,
    Like,
    LikePattern,
    Not,
    OneOf,
    Or,
    Query,
    Range,
    Regex,
    SameAttributes,
    Test,
    Wild,
)
from storage.query.language.words import (
    begins_with_word,
    ends_with_word,
    ignoring_case,
    spellings,
    whole_words,
)
from storage.query.templates.masks import BODY_CHARACTERS
from storage.severity import UNSPECIFIED, at_least, has_severity, level_name, level_place, places_of

_IN_WORD = r"[0-9A-Za-z\x{80}-\x{10FFFF}]"
_NO_WORD = r"[^0-9A-Za-z\x{80}-\x{10FFFF}]"
_LIKE = {Wild.ANY: "%", Wild.ONE: "_"}
_IN_WORDS = {Wild.ANY: f"{_IN_WORD}*", Wild.ONE: _IN_WORD}
_FEW_WORDS = 8
_ASCII_WORD = re.compile(
    r"(?<=[\x00-\x7f])(?<![A-Za-z0-9])[A-Za-z0-9]+(?![A-Za-z0-9])(?=[\x00-\x7f])"
)


def condition(query: Query, bind: Bind) -> str:
    """The SQL condition that a query's records meet; all values go through `bind`."""
    match query:
        case And(parts=parts):
            return _joined(" AND ", parts, bind) if parts else "1"
        case Or(parts=parts):
            return _joined(" OR ", parts, bind)
        case Not(part=part):
            return f"NOT ({condition(part, bind)})"
        case Comparison(field=Attribute() as field, test=test):
            return f"({_attribute(field, test, bind)})"
        case Comparison(field=AttributeMap() as field, test=SameAttributes(pairs=pairs)):
            return f"({_same(field, pairs, bind)})"
        case Comparison(field=ColumnField() as field, test=test):
            return f"({_OF_KIND[field.kind](field, test, bind)})"
    raise TypeError(f"{query!r} is not a query")


def has_words(sql: str, words: Sequence[str], bind: Bind) -> str:
    """The condition for a text that contains all of these words; `words` must not be empty.

    The index supports both forms. In a part without the index, a few hasToken calls are faster
    than hasAllTokens, which tokenizes the whole text.
    """
    distinct = list(dict.fromkeys(words))
    if len(distinct) > _FEW_WORDS:
        return f"hasAllTokens({sql}, {bind(distinct)})"
    return " AND ".join(f"hasToken({sql}, {bind(word)})" for word in distinct)


def _joined(operator: str, parts: tuple[Query, ...], bind: Bind) -> str:
    return "(" + operator.join(condition(part, bind) for part in parts) + ")"


def _text(column: ColumnField, test: Test, bind: Bind) -> str:
    sql = f"lower({column.sql})" if column.case is Case.IGNORED else column.sql
    if isinstance(test, Exists):
        return f"{sql} != ''"
    return _value(sql, test if column.case is Case.MATTERS else ignoring_case(test), bind)


def _words(column: ColumnField, test: Test, bind: Bind) -> str:
    match test:
        case Equals(value=text):
            return _fits(column, (text,), bind)
        case Like(pattern=pattern):
            return _fits(column, pattern, bind)
        case Regex(expression=expression):
            # The index holds lower case only.
            required = _required(f"lower({column.sql})", expression, bind)
            return " AND ".join([*required, _text(column, test, bind)])
        case Contains(text=text):
            return " AND ".join(_containing(column.sql, text, bind))
    return _text(column, test, bind)


def _containing(sql: str, text: str, bind: Bind) -> Iterator[str]:
    # LIKE on the lower-cased text can use the text index: by whole words, or by a scan of its
    # dictionary. Other case-insensitive searches cannot, so for a text that is not ASCII its whole
    # ASCII words are required as well.
    if text.isascii():
        yield f"lower({sql}) LIKE {bind(f'%{_like((text.lower(),))}%')}"
        return
    if words := [word.lower() for word in _ASCII_WORD.findall(text)]:
        yield has_words(f"lower({sql})", words, bind)
    yield f"match({sql}, {bind(expression(text))})"


def _required(sql: str, expression: str, bind: Bind) -> Iterator[str]:
    """Conditions that the index can check and every match of the expression meets."""
    if words := required_words(expression):
        yield has_words(sql, words, bind)
    elif part := required_part(expression):
        yield f"{sql} LIKE {bind(f'%{part}%')}"


def _fits(column: ColumnField, pattern: LikePattern, bind: Bind) -> str:
    checks = [_spelled(f"lower({column.sql})", each, bind) for each in spellings(pattern)]
    return checks[0] if len(checks) == 1 else " OR ".join(f"({check})" for check in checks)


def _spelled(sql: str, pattern: LikePattern, bind: Bind) -> str:
    # has_words and LIKE use the index; the expression then filters what is left.
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


def _is_anywhere(pattern: LikePattern) -> bool:
    """Whether LIKE alone is exact: a single text with anything around it."""
    texts = [piece for piece in pattern if piece is not Wild.ANY]
    bound = begins_with_word(pattern) or ends_with_word(pattern)
    return texts != [Wild.ONE] and len(texts) == 1 and not bound


def _expression(pattern: LikePattern) -> str:
    pieces = [_IN_WORDS[piece] if isinstance(piece, Wild) else escaped(piece) for piece in pattern]
    before = f"(?:^|{_NO_WORD})" if begins_with_word(pattern) else ""
    after = f"(?:{_NO_WORD}|$)" if ends_with_word(pattern) else ""
    return f"{before}{''.join(pieces)}{after}"


def _number(column: ColumnField, test: Test, bind: Bind) -> str:
    def scaled(text: str) -> str:
        return f"toFloat64({bind(text)}) * {column.unit}"

    match test:
        case Equals(value=text):
            return f"{column.sql} = {scaled(text)}"
        case Range():
            return _between(column.sql, test, lambda bound: scaled(bound.value))
    return f"{column.sql} != 0"


def _level(_column: ColumnField, test: Test, bind: Bind) -> str:
    match test:
        case Equals(value=text):
            return has_severity([text], bind)
        case OneOf(values=texts):
            return has_severity(texts, bind)
        case Range():
            places = _between(level_place(), test, lambda bound: bind(_place(bound)))
            return f"{level_place()} != 0 AND {places}"
        case Exists():
            return _has_level()
    pattern = ignoring_case(test)
    names = (f"lower({level_name()})", "lower(SeverityText)")
    checks = " OR ".join(_value(name, pattern, bind) for name in names)
    return f"{_has_level()} AND ({checks})"


def _severity(_column: ColumnField, test: Test, bind: Bind) -> str:
    match test:
        case Range(low=Bound(value=number, included=True), high=None):
            return at_least(int(number), bind)
    raise TypeError(f"{test!r} is not a minimum severity")


def _same(field: AttributeMap, pairs: Sequence[tuple[str, str]], bind: Bind) -> str:
    checks = [f"length({field.sql}) = {bind(len(pairs))}"]
    for key, value in pairs:
        name = bind(key)
        checks.append(f"{field.sql}[{name}] = {bind(value)}")
        if not value:
            checks.append(f"mapContains({field.sql}, {name})")
    return " AND ".join(checks)


def _place(bound: Bound) -> int:
    return places_of(bound.value)[0]


def _has_level() -> str:
    return f"({level_name()} != '{UNSPECIFIED}')"


def _template(column: ColumnField, test: Test, bind: Bind) -> str:
    match test:
        case Equals(value=text):
            words = words_of_template(text)
            checks = [has_words(f"lower({column.sql})", words, bind)] if words else []
            compared = f"leftUTF8({column.sql}, {bind(BODY_CHARACTERS)})"
            return " AND ".join([*checks, f"match({compared}, {bind(template.expression(text))})"])
    raise TypeError(f"{test!r} is not a template")


_OF_KIND: dict[FieldType, Callable[[ColumnField, Test, Bind], str]] = {
    FieldType.TEXT: _text,
    FieldType.WORDS: _words,
    FieldType.NUMBER: _number,
    FieldType.LEVEL: _level,
    FieldType.SEVERITY: _severity,
    FieldType.TEMPLATE: _template,
}


def _attribute(attribute: Attribute, test: Test, bind: Bind) -> str:
    name = bind(attribute.name)
    checks: list[str] = []
    missing = ""
    for column in attribute.maps:
        checks.append(f"{missing}{_in_map(column, name, test, bind)}")
        missing += f"NOT mapContains({column.sql}, {name}) AND "
    if attribute.otherwise is not None:
        check = _text(attribute.otherwise, test, bind)
        checks.append(f"{missing}{attribute.otherwise.sql} != '' AND {check}")
    return " OR ".join(checks)


def _in_map(column: AttributeMap, name: str, test: Test, bind: Bind) -> str:
    # A map returns '' for a missing key. For any other text the index on its values can be used.
    value, contains = f"{column.sql}[{name}]", f"mapContains({column.sql}, {name})"
    if isinstance(test, Exists):
        return contains
    check = _value(value, test, bind)
    if not isinstance(test, Equals) or not test.value:
        return f"{contains} AND {check}"
    values = f"mapValues({column.sql})"
    indexed = f"has({values}, {bind(test.value)}) AND " if column.index_by_value else ""
    return indexed + check


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
            check = _between(number, test, lambda bound: f"toFloat64({bind(bound.value)})")
            return f"ifNull({check}, 0)"
        case Range():
            return _between(sql, test, lambda bound: bind(bound.value))
    raise TypeError(f"{test!r} does not apply to a value")


def _between(sql: str, test: Range, bound_sql: Callable[[Bound], str]) -> str:
    ends = []
    if test.low is not None:
        ends.append(f"{sql} {'>=' if test.low.included else '>'} {bound_sql(test.low)}")
    if test.high is not None:
        ends.append(f"{sql} {'<=' if test.high.included else '<'} {bound_sql(test.high)}")
    return " AND ".join(ends)


def _like(pattern: LikePattern) -> str:
    return "".join(
        _LIKE[piece] if isinstance(piece, Wild) else re.sub(r"([\\%_])", r"\\\1", piece)
        for piece in pattern
    )
