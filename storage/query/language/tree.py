"""A query of the search language as an immutable tree."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storage.query.language.fields import AttributeMap, Field


NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
"""The numbers that a query may compare with."""


class Wild(enum.Enum):
    """A wildcard in a pattern."""

    ANY = "*"
    """Zero or more characters."""
    ONE = "?"
    """One character."""


LikePattern = tuple[str | Wild, ...]
"""Literal texts, never empty, and wildcards."""


@dataclass(frozen=True, slots=True)
class Equals:
    """The value equals this text; in full text, the text occurs as whole words."""

    value: str


@dataclass(frozen=True, slots=True)
class Like:
    """The whole value matches the pattern; in full text, whole words do."""

    pattern: LikePattern


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
    """Whether it is an unquoted number."""


@dataclass(frozen=True, slots=True)
class Range:
    """The value is within the bounds; at least one is given.

    If all bounds are numeric, values are compared as numbers, and others never match. Otherwise
    values are compared as text, by code point.
    """

    low: Bound | None
    high: Bound | None

    @property
    def bounds(self) -> list[Bound]:
        """The bounds that are given."""
        return [bound for bound in (self.low, self.high) if bound is not None]

    @property
    def numeric(self) -> bool:
        """Whether values are compared as numbers."""
        return all(bound.numeric for bound in self.bounds)


@dataclass(frozen=True, slots=True)
class Exists:
    """There is a value: a non-empty text, a non-zero number, or any value of an attribute."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """The level is one of these, in any spelling."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Contains:
    """The text occurs anywhere, in any case: see `storage.query.language.letters`."""

    text: str


@dataclass(frozen=True, slots=True)
class SameAttributes:
    """The map has exactly these keys and values."""

    pairs: tuple[tuple[str, str], ...]


Test = Equals | Like | Regex | Range | Exists | OneOf | Contains | SameAttributes


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field of the record passes a test."""

    field: Field | AttributeMap
    test: Test


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Query


@dataclass(frozen=True, slots=True)
class And:
    """All parts hold; without parts it matches every record."""

    parts: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one part holds."""

    parts: tuple[Query, ...]


Query = Comparison | Not | And | Or
