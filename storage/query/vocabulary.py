"""Aliases that the API accepts for filters, fields, facets and groupings."""

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "severity": ("level", "severity_text"),
    "service_name": ("service",),
    "service_version": ("version",),
    "client_id": ("client",),
    "workspace_id": ("workspace",),
    "scope_name": ("scope",),
    "operation": ("name", "span_name"),
    "body": ("message",),
    "search": ("body", "message"),
    "min_severity": ("min_level",),
    "start_time_ms": ("start_time", "start", "from", "since"),
    "end_time_ms": ("end_time", "end", "to", "until"),
    "interval": ("interval_ms", "step"),
    "min_duration_ms": ("min_duration",),
    "max_duration_ms": ("max_duration",),
    "by": ("group_by",),
}
"""Aliases by canonical name. A name that is itself known is never read as an alias."""

_ALIKE = 0.6

Thing = TypeVar("Thing")


def with_other_names(named: Mapping[str, Thing]) -> dict[str, Thing]:
    """Things by their names and aliases."""
    others = {other: thing for name, thing in named.items() for other in OTHER_NAMES.get(name, ())}
    return {**others, **named}


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name most similar to an unknown one; '' if none is."""
    by_lower = {each.lower(): each for each in known}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=_ALIKE)
    return by_lower[found[0]] if found else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint such as `Did you mean body?`; '' if no known name is similar."""
    near = nearest(name, known)
    return f"Did you mean {near}?" if near else ""
