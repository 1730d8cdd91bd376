"""A job's arguments as they were asked for: in the names of the request's own parameters."""

from collections.abc import Mapping
from typing import Any

from storage.sql import EVER
from tasks.jobs.job import Order
from web.log_query import FIELD_PARAMETERS
from web.names import FIELDS

_MS = 1_000_000
_DAY_MS = 86_400_000

_NAMES = {"severities": "severity"}
_EMPTY: tuple[Any, ...] = (None, "", 0, (), [], {})


def asked(order: Order) -> dict[str, Any]:
    """What a request would say to ask for the same again; what is left out was not asked for."""
    shown = {"delete": _deletion, "export": _export, "replay": _replay}.get(order.kind)
    return shown(order) if shown else dict(order.arguments)


def _deletion(order: Order) -> dict[str, Any]:
    given = order.arguments
    if given["type"] == "traces":
        before_ns: int | None = given["before_ns"]
        if before_ns is None:
            return {"force": True}
        return {"days": (order.created_ms - before_ns // _MS) // _DAY_MS}
    span = given["span"]
    limited = (span["first_ns"], span["last_ns"]) != (EVER.first_ns, EVER.last_ns)
    return (_filters(given["filters"]) | (_span(span) if limited else {})) or {"all": True}


def _export(order: Order) -> dict[str, Any]:
    given = order.arguments
    chosen = {"format": given["form"], "order": given["order"]}
    safe = {"spreadsheet_safe": True} if given["spreadsheet_safe"] else {}
    return _filters(given["filters"]) | _span(given["span"]) | chosen | safe


def _replay(order: Order) -> dict[str, Any]:
    given = {name: value for name, value in order.arguments.items() if value not in _EMPTY}
    times = {
        new: round(given.pop(old) * 1000)
        for old, new in (("since", "start_time_ms"), ("until", "end_time_ms"))
        if old in given
    }
    given.pop("workspace_id", None)
    return given | times


def _filters(filters: Mapping[str, Any]) -> dict[str, Any]:
    shown = {
        _NAMES.get(name, name): value
        for name, value in filters.items()
        if value not in _EMPTY and name != "workspace_id"
    }
    for name in ("attributes", "resource_attributes"):
        if name in shown:
            shown[name] = dict(shown[name])
    for name, value in shown.pop("fields", ()):
        holder = shown if name in FIELD_PARAMETERS else shown.setdefault(FIELDS, {})
        holder[name] = value
    return shown


def _span(span: Mapping[str, int]) -> dict[str, int]:
    return {"start_time_ms": span["first_ns"] // _MS, "end_time_ms": span["last_ns"] // _MS}
