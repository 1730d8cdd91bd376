"""Merges templates of the same log statement: names, hosts and words that vary between its lines.

In two steps: by places (`storage.query.templates.places`), then by words: templates with the same
constant words in the same order differ only in how many parts vary, such as lists.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import takewhile

from storage.query.templates.masks import MASK, VALUE
from storage.query.templates.places import generalized
from storage.query.templates.tokens import ANY, GAP, Tokens, is_space, is_word, shape, split

LEAST_WORDS = 3
"""Constant words by which templates are merged; fewer say too little."""

_Variant = tuple[Tokens, Tokens]
"""The tokens of a template, or of a part of it, and those of its row."""


def merged(templates: Iterable[str]) -> dict[str, str]:
    """The merged template of each template.

    One that stands alone keeps its text. Otherwise, :data:`VALUE`, :data:`ANY` or :data:`GAP`
    stands where they differ. Their order makes no difference.
    """
    tokens = {template: split(template) for template in sorted({*templates})}
    shapes = {template: shape(parts) for template, parts in tokens.items()}
    rows = generalized(shapes.values())
    groups: dict[Tokens, list[str]] = defaultdict(list)
    for template, shaped in shapes.items():
        groups[_key(rows[shaped])].append(template)
    found = {}
    for group in groups.values():
        variants = [(tokens[template], rows[shapes[template]]) for template in group]
        found.update(dict.fromkeys(group, _shown(variants) if len(group) > 1 else group[0]))
    return found


def _key(row: Tokens) -> Tokens:
    """What templates are merged by: their constant words if there are enough, else all tokens."""
    words = tuple(filter(is_word, row))
    return words if len(words) >= LEAST_WORDS else ("", *row)


def _shown(group: list[_Variant]) -> str:
    """The text of merged templates, given their tokens and rows."""
    words = [*filter(is_word, group[0][1]), ""]
    gaps = zip(*(_gaps(tokens, row) for tokens, row in group), strict=True)
    return "".join(_joined(gap) + word for gap, word in zip(gaps, words, strict=True))


def _gaps(tokens: Tokens, row: Tokens) -> Iterator[_Variant]:
    start = 0
    for index, token in enumerate(row):
        if is_word(token):
            yield tokens[start:index], row[start:index]
            start = index + 1
    yield tokens[start:], row[start:]


def _joined(gaps: Iterable[_Variant]) -> str:
    """The text for what several templates have between the same two words."""
    texts, rows = map(set, zip(*gaps, strict=True))
    if len(texts) == 1:
        return "".join(*texts)
    texts = {tuple(" " if is_space(token) else token for token in text) for text in texts}
    if len(rows) == 1:
        return "".join(map(_wildcard, zip(*texts, strict=True)))
    return _around(GAP, texts)


def _wildcard(column: Tokens) -> str:
    """The text for the tokens that several templates have in one place."""
    return _same(column) or (VALUE if all(map(MASK.search, column)) else ANY)


def _around(middle: str, texts: set[Tokens]) -> str:
    """What all texts begin and end with, around `middle`."""
    shortest = min(map(len, texts))
    begin = [*takewhile(bool, map(_same, zip(*texts, strict=False)))]
    from_end = zip(*(text[::-1][: shortest - len(begin)] for text in texts), strict=True)
    end = [*takewhile(bool, map(_same, from_end))]
    return "".join([*begin, middle, *reversed(end)])


def _same(column: Tokens) -> str:
    """The token, if all are equal; else ''."""
    return column[0] if len({*column}) == 1 else ""
