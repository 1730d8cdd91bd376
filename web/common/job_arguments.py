"""A job's arguments under the names of the request's parameters."""

from collections.abc import Mapping
from typing import Any

from config.units import MS_PER_DAY, NS_PER_MS
from storage.time_range import EVER
from tasks.jobs.job import JobOrder
from web.common.field_arguments import FIELD_PARAMETERS
from web.http.names import FIELDS

_NAMES = {"severities": "severity"}
_EMPTY: tuple[Any, ...] = (None, "", 0, (), [], {})


def request_parameters(order: JobOrder) -> dict[str, Any]:
    """The parameters of a request for the same job, without those that were not given."""
    shown = {"delete": _deletion, "export": _export, "replay": _replay}.get(order.kind)
    return shown(order) if shown else dict(order.arguments)


def _deletion(order: JobOrder) -> dict[str, Any]:
    given = order.arguments
    if given["type"] == "traces":
        before_ns: int | None = given["before_ns"]
        if before_ns is None:
            return {"force": True}
        return {"days": (order.created_ms - before_ns // NS_PER_MS) // MS_PER_DAY}
    time_range = given["time_range"]
    limited = (time_range["first_ns"], time_range["last_ns"]) != (EVER.first_ns, EVER.last_ns)
    return (_filters(given["filters"]) | (_times(time_range) if limited else {})) or {"all": True}


def _export(order: JobOrder) -> dict[str, Any]:
    given = order.arguments
    chosen = {"format": given["form"], "order": given["order"]}
    safe = {"spreadsheet_safe": True} if given["spreadsheet_safe"] else {}
    return _filters(given["filters"]) | _times(given["time_range"]) | chosen | safe


def _replay(order: JobOrder) -> dict[str, Any]:
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


def _times(time_range: Mapping[str, int]) -> dict[str, int]:
    return {
        "start_time_ms": time_range["first_ns"] // NS_PER_MS,
        "end_time_ms": time_range["last_ns"] // NS_PER_MS,
    }
