"""How the tables' indexes lead to a query's records, if their rows need not all be read."""

import enum

from storage.language.fields import Attribute, Column, Kind
from storage.language.required import required_part, required_words
from storage.language.tree import And, Comparison, Equals, Like, Or, Pattern, Query, Regex, Test
from storage.language.words import part_of_a_word, whole_words, words_of


class Lead(enum.IntEnum):
    """How an index leads to what a query finds; of more, sooner."""

    NONE = 0
    """Rows have to be read."""
    PART = 1
    """All of it has a part of a word, for which the words of the index are searched."""
    WORD = 2
    """All of it has a word, or an attribute's value, which is looked up."""


def lead(query: Query) -> Lead:
    """How an index leads to the records that a query finds."""
    match query:
        case And(parts=parts):
            return max(map(lead, parts), default=Lead.NONE)
        case Or(parts=parts):
            return min(map(lead, parts), default=Lead.NONE)
        case Comparison(field=Attribute(otherwise=None), test=Equals(value=value)):
            return Lead.WORD if value else Lead.NONE
        case Comparison(field=Column(kind=Kind.WORDS), test=test):
            return _lead_of_words(test)
    return Lead.NONE


def lead_of_pattern(pattern: Pattern) -> Lead:
    """How the index of words leads to the texts that a pattern fits."""
    return _lead(whole_words(pattern), part_of_a_word(pattern))


def _lead_of_words(test: Test) -> Lead:
    match test:
        case Equals(value=text):
            return _lead(words_of(text), "")
        case Like(pattern=pattern):
            return lead_of_pattern(pattern)
        case Regex(expression=expression):
            return _lead(required_words(expression), required_part(expression))
    return Lead.NONE


def _lead(words: list[str], part: str) -> Lead:
    if words:
        return Lead.WORD
    return Lead.PART if part else Lead.NONE
