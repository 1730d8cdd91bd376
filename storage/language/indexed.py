"""Whether the tables' indexes lead to a query's records, or their rows have to be read."""

from storage.language.fields import Attribute, Column, Kind
from storage.language.required import required_words
from storage.language.tree import And, Comparison, Equals, Like, Or, Query, Regex, Test
from storage.language.words import whole_words, words_of


def is_indexed(query: Query) -> bool:
    """Whether every record that a query finds has something that an index knows.

    That is a word of a text that is searched by words, or the value of an attribute.
    """
    match query:
        case And(parts=parts):
            return any(is_indexed(part) for part in parts)
        case Or(parts=parts):
            return bool(parts) and all(is_indexed(part) for part in parts)
        case Comparison(field=Attribute(), test=Equals(value=value)):
            return bool(value)
        case Comparison(field=Column(kind=Kind.WORDS), test=test):
            return _has_words(test)
    return False


def _has_words(test: Test) -> bool:
    match test:
        case Equals(value=text):
            return bool(words_of(text))
        case Like(pattern=pattern):
            return bool(whole_words(pattern))
        case Regex(expression=expression):
            return bool(required_words(expression))
    return False
