"""Whether a table's index can find a query's records without a scan of all rows."""

import enum

from storage.query.language.fields import Attribute, ColumnField, FieldType
from storage.query.language.required import required_part, required_words, words_of_template
from storage.query.language.tree import (
    And,
    Comparison,
    Contains,
    Equals,
    Like,
    LikePattern,
    Or,
    Query,
    Regex,
    Test,
    Wild,
)
from storage.query.language.words import part_of_a_word, whole_words, words_of


class Lead(enum.IntEnum):
    """How an index finds a query's records; a higher value is faster."""

    NONE = 0
    """It cannot; rows have to be read."""
    PART = 1
    """All records contain a part of a word: the index's dictionary is scanned for it."""
    WORD = 2
    """All records contain a word or an attribute's value: the index looks it up."""


def lead(query: Query) -> Lead:
    """The best lead that holds for all records of a query."""
    match query:
        case And(parts=parts):
            return max(map(lead, parts), default=Lead.NONE)
        case Or(parts=parts):
            return min(map(lead, parts), default=Lead.NONE)
        case Comparison(field=Attribute(otherwise=None), test=Equals(value=value)):
            return Lead.WORD if value else Lead.NONE
        case Comparison(field=ColumnField(has_index=True), test=Equals(value=value)):
            return Lead.WORD if value else Lead.NONE
        case Comparison(field=ColumnField(kind=kind), test=test):
            return _lead_to_text(kind, test)
    return Lead.NONE


def lead_of_pattern(pattern: LikePattern) -> Lead:
    """The lead of the text index to texts that match a pattern."""
    return _lead(whole_words(pattern), part_of_a_word(pattern))


def _lead_to_text(kind: FieldType, test: Test) -> Lead:
    if kind is FieldType.WORDS:
        return _lead_of_words(test)
    if kind is FieldType.TEMPLATE and isinstance(test, Equals):
        return _lead(words_of_template(test.value), "")
    return Lead.NONE


def _lead_of_words(test: Test) -> Lead:
    match test:
        case Equals(value=text):
            return _lead(words_of(text), "")
        case Like(pattern=pattern):
            return lead_of_pattern(pattern)
        case Contains(text=text) if text.isascii():
            return lead_of_pattern((Wild.ANY, text, Wild.ANY))
        case Regex(expression=expression):
            return _lead(required_words(expression), required_part(expression))
    return Lead.NONE


def _lead(words: list[str], part: str) -> Lead:
    if words:
        return Lead.WORD
    return Lead.PART if part else Lead.NONE
