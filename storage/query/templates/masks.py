r"""Regular expressions for the parts that vary between the lines of one log statement.

ClickHouse applies them in order, with RE2; Python's `re` with `re.ASCII` gives the same results.
None of them distinguishes between digits.
"""

import re
from collections import defaultdict
from dataclasses import dataclass

BODY_CHARACTERS = 500
"""Characters of a body that are compared; longer ones differ early or carry a document."""


@dataclass(frozen=True, slots=True)
class _Mask:
    name: str
    expression: str
    before: str = ""
    """An expression for the character before it, or the beginning."""
    text: str = ""
    """An expression for what it stands for in the body, if that may have been masked before."""

    @property
    def rule(self) -> tuple[str, str]:
        """The regular expression to search for, and the text to put in its place."""
        if self.before:
            return f"({self.before}){self.expression}", rf"\1<{self.name}>"
        return self.expression, f"<{self.name}>"


_HEX = "[0-9a-fA-F]"
_IPV4 = r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b"
_IPV6 = rf"\b(?:{_HEX}{{1,4}}:){{7}}{_HEX}{{1,4}}\b"
_IPV6_SHORT = rf"\b(?:{_HEX}{{1,4}}:){{1,6}}(?::{_HEX}{{1,4}}){{1,6}}\b"
_CLOCK = r"\d\d:\d\d(?::\d\d(?:[.,:]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"
_DATE = r"\b\d{4}[-/.]\d\d[-/.]\d\d"
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_WEEKDAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*"
_WRITTEN_TIME = (
    rf"\b(?:{_WEEKDAY},? +)?{_MONTH} +\d{{1,2}},?(?: +\d{{4}})? +\d\d:\d\d(?::\d\d(?:\.\d+)?)?"
    r"(?: +[A-Z]{3,4}\b)?(?: +\d{4}\b)?"
)
_NUMBER = r"[0-9]+(?:\.[0-9]+)*"
_UNIT = "(?:[KMGTPkmgt]i?[Bb]|[Bb]|secs?|ms|us|ns|s)"
_QUOTED_QUOTES = r"""'(?:[^'\s]|"[^"\s]*")*'"""
_URL_AFTER_SCHEME = r"://[^\s\"'<>]+"
_PATH = "(?:/[0-9A-Za-z_.@%+~$*-]+){2,}/?"

_MASKS = (
    # A quotation with spaces is a sentence or a request line, whose words tell.
    _Mask("str", r'"[^"\s]*"'),
    _Mask("str", r"'[^'\s]*'", before="^|[^0-9A-Za-z_]", text=_QUOTED_QUOTES),
    _Mask("time", _WRITTEN_TIME),
    _Mask("uuid", rf"\b{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}\b"),
    _Mask("url", rf"\b[A-Za-z][A-Za-z0-9+.-]*{_URL_AFTER_SCHEME}"),
    _Mask("ip", rf"{_IPV4}|{_IPV6}|{_IPV6_SHORT}"),
    _Mask("time", rf"{_DATE}(?:[T ,-]{_CLOCK}\b)?|\b\d\d:\d\d:\d\d(?:[.,:]\d+)?\b"),
    _Mask("path", _PATH, before=r"^|[\s=:,(\[]"),
    _Mask("hex", rf"\b[0-9][xX]{_HEX}+\b"),
    _Mask("hex", rf"\b(?:[0-9]+[a-fA-F]|[a-fA-F]+[0-9]){_HEX}{{6,}}\b"),
    _Mask("num", rf"\b{_NUMBER} ?{_UNIT}\b"),
    _Mask("num", f"-{_NUMBER}", before="^|[^0-9A-Za-z]"),
    _Mask("num", _NUMBER),
)

MASKS = tuple(mask.rule for mask in _MASKS)
"""Regular expressions and their replacements, in the order in which they apply."""

VALUE = "<value>"
"""Stands for one token that always has a mask, but not always the same."""

MASK = re.compile(f"{VALUE}|<(?:{'|'.join(sorted({mask.name for mask in _MASKS}))})>")
"""Finds the masks in a template."""


def _texts_of_masks() -> dict[str, str]:
    alternatives = defaultdict(list)
    for mask in _MASKS:
        # What is around a mask in the body may have been masked before it.
        text = mask.text or mask.expression.replace(r"\b", "")
        alternatives[f"<{mask.name}>"].append(text)
    return {name: f"(?:{'|'.join(texts)}|{name})" for name, texts in alternatives.items()}


TEXTS = _texts_of_masks()
"""For each mask, an RE2 expression for every text that it stands for, and possibly more."""

UNUSUAL_TEXTS = (
    *(r'"[^"\s]*"', _QUOTED_QUOTES, _URL_AFTER_SCHEME, _PATH, _WRITTEN_TIME),
    *(r"\d[ ,]\d\d:\d\d", r":\d\d,\d", rf"\d {_UNIT}\b"),
)
"""RE2 expressions for parts of masked texts that no other token has: with separators within or at
the end."""

SIGNS_OF_A_MASK = (
    *UNUSUAL_TEXTS,
    *(r"\d", f"{_HEX}:", "::", f"(?:-{_HEX}{{4}}){{3}}-", MASK.pattern),
)
"""RE2 expressions of which at least one matches in a token that has a mask."""
