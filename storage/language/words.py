"""What a word is in a text that is searched by words, and how capitals are ignored.

A word is a run of ASCII letters, digits and characters beyond ASCII, as the `splitByNonAlpha`
tokenizer of ClickHouse's text index cuts it. ClickHouse's `lower` and with it the index know the
capitals of ASCII only; words with other letters are looked for in the spellings that people use.
"""

import re
from dataclasses import replace

from storage.language.tree import Equals, Like, Pattern, Range, Regex, Test, Wild
from storage.sql import ascii_lower

WORD_CHARACTERS = "0-9A-Za-z\x80-\U0010ffff"
"""What words are made of, as the inside of a character class."""

LEAST_PART = 4
"""Characters: for less ClickHouse does not ask the index (`text_index_like_min_pattern_length`)."""

_WORD = re.compile(f"[{WORD_CHARACTERS}]+")


def words_of(text: str) -> list[str]:
    """The words of a text, in order."""
    return _WORD.findall(text)


def spellings(pattern: Pattern) -> list[Pattern]:
    """A pattern as it may stand in a text of which ASCII is in lower case.

    With letters beyond ASCII: as written, in small letters, in capitals, with a capital first.
    """
    ways = (str, str.lower, str.upper, str.capitalize)
    found = (
        _lowered(tuple(way(piece) if isinstance(piece, str) else piece for piece in pattern))
        for way in ways
    )
    return list(dict.fromkeys(found))


def whole_words(pattern: Pattern) -> list[str]:
    """The words that every match of a pattern contains: those that no wildcard touches."""
    found: list[str] = []
    for place, piece in enumerate(pattern):
        if isinstance(piece, Wild):
            continue
        for match in _WORD.finditer(piece):
            cut_before = match.start() == 0 and place > 0
            cut_after = match.end() == len(piece) and place < len(pattern) - 1
            if not cut_before and not cut_after:
                found.append(match[0])
    return found


def part_of_a_word(pattern: Pattern) -> str:
    """What ClickHouse searches the words of its index for to find a pattern, if it does that."""
    if Wild.ONE in pattern:
        return ""
    texts = [piece for piece in pattern if isinstance(piece, str)]
    if len(texts) != 1 or len(texts[0]) < LEAST_PART or not _WORD.fullmatch(texts[0]):
        return ""
    return texts[0]


def begins_with_word(pattern: Pattern) -> bool:
    """Whether a match has to begin where a word begins."""
    first = pattern[0]
    return first is Wild.ONE or (isinstance(first, str) and bool(_WORD.match(first)))


def ends_with_word(pattern: Pattern) -> bool:
    """Whether a match has to end where a word ends."""
    last = pattern[-1]
    return last is Wild.ONE or (isinstance(last, str) and bool(_WORD.match(last[-1])))


def ignoring_case(test: Test) -> Test:
    """The test for values of which ASCII is in lower case."""
    match test:
        case Equals(value=text):
            return Equals(ascii_lower(text))
        case Like(pattern=pattern):
            return Like(_lowered(pattern))
        case Regex(expression=expression):
            return Regex(f"(?i){expression}")
        case Range(low=low, high=high):
            return Range(
                low and replace(low, value=ascii_lower(low.value)),
                high and replace(high, value=ascii_lower(high.value)),
            )
    return test


def _lowered(pattern: Pattern) -> Pattern:
    return tuple(ascii_lower(piece) if isinstance(piece, str) else piece for piece in pattern)
