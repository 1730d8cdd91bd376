"""What workspaces may ask at a time, and for how long: their limits, applied to requests."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask, current_app, g, request

from config.settings import Settings
from ledger.limits import Limits, LimitView
from storage.clickhouse.budget import MOST_ROWS
from storage.clickhouse.errors import TIMEOUT_EXCEEDED, TOO_MANY_ROWS, TOO_SLOW
from web.http.access import DEFAULT_WORKSPACE, current_principal

KEY = "sheaf.limits"
"""The limits' key in the app's extensions."""


class LimitReachedError(Exception):
    """A workspace may not ask more now; answered 429. The text is a sentence."""

    def __init__(self, limit: str, text: str) -> None:
        super().__init__(text)
        self.limit = limit


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """The limits of the workspace that the current request is about."""

    workspace_id: str
    limits: Limits

    @property
    def settings(self) -> dict[str, Any]:
        """ClickHouse settings for each of its queries."""
        if self.limits.query_rows is None:
            return {}
        return {MOST_ROWS: self.limits.query_rows, "read_overflow_mode": "throw"}


class Places:
    """How many requests of each workspace are being answered; thread-safe."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    def enter(self, of: QueryLimits) -> Callable[[], None]:
        """Take a place; the function gives it back, and must be called once.

        Raises:
            LimitReachedError: the workspace has no more.
        """
        name, most = of.workspace_id, of.limits.queries
        with self._lock:
            if most is not None and self._taken[name] >= most:
                text = f"The workspace {name} may run {most} queries at a time; try again later."
                raise LimitReachedError("queries", text)
            self._taken[name] += 1
        return lambda: self._leave(name)

    def _leave(self, name: str) -> None:
        with self._lock:
            self._taken[name] -= 1
            if not self._taken[name]:
                del self._taken[name]


def follow_limits(app: Flask, limits: LimitView) -> None:
    """Apply these limits to the requests of `app`."""
    app.extensions[KEY] = limits


def limits_of(workspace_id: str) -> Limits:
    """What holds for a workspace."""
    found: LimitView = current_app.extensions[KEY]
    return found.of(workspace_id)


def limits_of_request(arguments: Mapping[str, Any]) -> QueryLimits:
    """The limits of the workspace that the current request names, or else its key.

    Raises:
        NotAllowedError: the key is bound to another workspace.
    """
    named = arguments.get("workspace_id") or request.headers.get("X-Workspace-Id", "")
    workspace_id = current_principal().workspace(named, "workspace_id") or DEFAULT_WORKSPACE
    found = g.query_limits = QueryLimits(workspace_id, limits_of(workspace_id))
    return found


def limit_behind(code: int, settings: Settings) -> str:
    """Which limit of its workspace ended the current request with this error of ClickHouse.

    A clause; empty if none did.
    """
    of: QueryLimits | None = g.get("query_limits")
    if of is None:
        return ""
    whose = f"the workspace {of.workspace_id}"
    rows, seconds = of.limits.query_rows, of.limits.query_seconds
    if code == TOO_MANY_ROWS and rows is not None:
        return f"it would read more than {rows:,} rows, the limit query_rows of {whose}"
    is_late = code in {TIMEOUT_EXCEEDED, TOO_SLOW}
    if is_late and seconds is not None and seconds < settings.query_max_seconds:
        return f"it would take longer than {seconds:g} s, the limit query_seconds of {whose}"
    return ""
