"""Names that people use for one thing, as a filter, a field, a facet or a grouping."""

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
"""Other names of what has one in an answer; a name that is known by itself stands for itself."""

_ALIKE = 0.6

Thing = TypeVar("Thing")


def with_other_names(named: Mapping[str, Thing]) -> dict[str, Thing]:
    """Things by their names and by their other names."""
    others = {other: thing for name, thing in named.items() for other in OTHER_NAMES.get(name, ())}
    return {**others, **named}


def nearest(name: str, known: Iterable[str]) -> str:
    """The name that somebody meant who wrote one that is not known; '' if none is near."""
    by_lower = {each.lower(): each for each in known}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=_ALIKE)
    return by_lower[found[0]] if found else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint to the name that was meant, as a sentence; '' if none is near."""
    near = nearest(name, known)
    return f"Did you mean {near}?" if near else ""
