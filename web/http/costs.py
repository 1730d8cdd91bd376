"""What a request costs the database, which decides when its turn comes."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

Cost = Literal["none", "light", "heavy", "stream"]
"""`none` hardly uses the database, `light` reads a few rows by key, `heavy` may read everything,
`stream` may too, for as long as the client reads."""

CostOf = Cost | Callable[[Mapping[str, Any]], Cost]
"""The cost of an endpoint, or a function of a request's arguments."""


_MOST_LIGHT_ROWS = 100
_MOST_LIGHT_OFFSET = 1000
_SEARCHES = frozenset({"search", "q", "attributes"})
_TRACE_SEARCHES = frozenset({"q", "attributes", "status", "operation", "service_name"})


def of_log_page(arguments: Mapping[str, Any]) -> Cost:
    """A short page without a text search is light."""
    few = arguments.get("limit", 0) <= _MOST_LIGHT_ROWS
    near = arguments.get("offset", 0) <= _MOST_LIGHT_OFFSET
    return "light" if few and near and not _SEARCHES & arguments.keys() else "heavy"


def of_trace_page(arguments: Mapping[str, Any]) -> Cost:
    """A short page of the newest traces is light, if no filter has to look for them."""
    few = arguments.get("limit", 0) <= _MOST_LIGHT_ROWS
    newest = (arguments.get("sort", "start"), arguments.get("order", "desc")) == ("start", "desc")
    chosen = _TRACE_SEARCHES | {"min_duration_ms", "max_duration_ms"}
    return "light" if few and newest and not chosen & arguments.keys() else "heavy"
