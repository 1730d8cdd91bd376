"""What counts as a word in full text, and how case is ignored.

A word is a run of ASCII letters, digits and characters beyond ASCII, as in the `splitByNonAlpha`
tokenizer of ClickHouse's text index. ClickHouse's `lower`, and so the index, only folds ASCII;
words with other letters are searched in their usual spellings.
"""

import re
from dataclasses import replace

from storage.clickhouse.sql import ascii_lower
from storage.query.language.tree import Equals, Like, LikePattern, Range, Regex, Test, Wild

WORD_CHARACTERS = "0-9A-Za-z\x80-\U0010ffff"
"""The characters of words, as the content of a regex character class."""

LEAST_PART = 4
"""Shortest text for which ClickHouse uses the index (`text_index_like_min_pattern_length`)."""

_WORD = re.compile(f"[{WORD_CHARACTERS}]+")


def words_of(text: str) -> list[str]:
    """The words of a text, in order."""
    return _WORD.findall(text)


def spellings(pattern: LikePattern) -> list[LikePattern]:
    """The forms a pattern may have in a text with its ASCII letters in lower case.

    Letters beyond ASCII: as written, in lower case, in upper case, capitalized.
    """
    cases = (str, str.lower, str.upper, str.capitalize)
    found = (
        _lowered(tuple(case(piece) if isinstance(piece, str) else piece for piece in pattern))
        for case in cases
    )
    return list(dict.fromkeys(found))


def whole_words(pattern: LikePattern) -> list[str]:
    """The words that every match of a pattern contains: those not next to a wildcard."""
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


def part_of_a_word(pattern: LikePattern) -> str:
    """The text that ClickHouse scans its index's dictionary for; '' if the pattern allows none."""
    if Wild.ONE in pattern:
        return ""
    texts = [piece for piece in pattern if isinstance(piece, str)]
    if len(texts) != 1 or len(texts[0]) < LEAST_PART or not _WORD.fullmatch(texts[0]):
        return ""
    return texts[0]


def begins_with_word(pattern: LikePattern) -> bool:
    """Whether a match must begin at the start of a word."""
    first = pattern[0]
    return first is Wild.ONE or (isinstance(first, str) and bool(_WORD.match(first)))


def ends_with_word(pattern: LikePattern) -> bool:
    """Whether a match must end at the end of a word."""
    last = pattern[-1]
    return last is Wild.ONE or (isinstance(last, str) and bool(_WORD.match(last[-1])))


def ignoring_case(test: Test) -> Test:
    """The test for values with their ASCII letters in lower case."""
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


def _lowered(pattern: LikePattern) -> LikePattern:
    return tuple(ascii_lower(piece) if isinstance(piece, str) else piece for piece in pattern)
