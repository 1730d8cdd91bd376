"""What a query of the search language says, as an immutable tree."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storage.language.fields import Field


NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
"""How a number is written that a query may compare with."""


class Wild(enum.Enum):
    """A wildcard in a pattern."""

    ANY = "*"
    """Any characters, also none."""
    ONE = "?"
    """One character."""


Pattern = tuple[str | Wild, ...]
"""Texts, which stand for themselves and are never empty, and wildcards between them."""


@dataclass(frozen=True, slots=True)
class Equals:
    """The value is this text; for full text: the text occurs in it, as whole words."""

    value: str


@dataclass(frozen=True, slots=True)
class Like:
    """The whole value fits the pattern; for full text: whole words of it do."""

    pattern: Pattern


@dataclass(frozen=True, slots=True)
class Regex:
    """The regular expression, in RE2's syntax, matches somewhere in the value."""

    expression: str


@dataclass(frozen=True, slots=True)
class Bound:
    """An end of a range."""

    value: str
    included: bool
    numeric: bool
    """Whether it may be compared as a number: it is one, and was not quoted."""


@dataclass(frozen=True, slots=True)
class Range:
    """The value lies between the bounds, at least one of which is there.

    It is compared as a number if all bounds are numbers, and then never holds for a value that is
    no number; otherwise as a text, by its code points.
    """

    low: Bound | None
    high: Bound | None

    @property
    def bounds(self) -> list[Bound]:
        """The bounds that are there."""
        return [bound for bound in (self.low, self.high) if bound is not None]

    @property
    def numeric(self) -> bool:
        """Whether values are compared as numbers."""
        return all(bound.numeric for bound in self.bounds)


@dataclass(frozen=True, slots=True)
class Exists:
    """There is a value: a text that is not empty, a number that is not 0, an attribute at all."""


Test = Equals | Like | Regex | Range | Exists


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field of the record passes a test."""

    field: Field
    test: Test


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Query


@dataclass(frozen=True, slots=True)
class And:
    """All parts hold; without parts this is every record."""

    parts: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One part or more holds."""

    parts: tuple[Query, ...]


Query = Comparison | Not | And | Or
