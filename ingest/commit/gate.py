"""Workspaces that have used up a limit: refused before their requests are read."""

import time

from ingest.status import Reason, RefusedError
from ledger.limits import Exceeded

_LONGEST_CLOSED = 1.0
"""Seconds; a limit may be raised meanwhile."""

_MOST_CLOSED = 10_000

_TEXTS = {
    "records_per_second": "{most:,.10g} records a second",
    "bytes_per_second": "{most:,.10g} bytes a second",
    "bytes_per_day": "{most:,.0f} bytes a day",
}


class LimitReachedError(RefusedError):
    """A request is not accepted, because a workspace has used up a limit."""

    def __init__(self, workspace_id: str, limit: str, text: str, retry_after: float) -> None:
        """Refuse because of the limit that has this name in :class:`ledger.limits.Limits`."""
        super().__init__(Reason.OVERLOADED, text, retry_after=retry_after)
        self.workspace_id = workspace_id
        self.limit = limit

    @property
    def outcome(self) -> str:
        """The limit's name."""
        return self.limit


class Gate:
    """Remembers for up to a second which workspaces have used up a limit."""

    def __init__(self) -> None:
        self._closed: dict[str, tuple[float, Exceeded]] = {}

    def check(self, workspace_id: str) -> None:
        """Check that a workspace may send.

        Raises:
            RefusedError: the workspace has used up a limit.
        """
        found = self._closed.get(workspace_id) if self._closed else None
        if found is None:
            return
        until, exceeded = found
        if time.monotonic() < until:
            # A new one each time: it keeps the frames that it passes through.
            raise _refusal(exceeded)
        self._closed.pop(workspace_id, None)

    def close(self, exceeded: Exceeded) -> RefusedError:
        """Note that a limit is used up; gives the refusal for the requests."""
        # While part of the limit is left, small requests are still accepted.
        if 0 in {exceeded.records, exceeded.bytes}:
            seconds = min(_LONGEST_CLOSED, exceeded.wait_ms / 4000)
            if len(self._closed) >= _MOST_CLOSED:
                self._closed = {}
            self._closed[exceeded.workspace_id] = (time.monotonic() + seconds, exceeded)
        return _refusal(exceeded)


def _refusal(exceeded: Exceeded) -> RefusedError:
    wait_seconds = exceeded.wait_ms / 1000
    may = _TEXTS[exceeded.limit].format(most=exceeded.most)
    return LimitReachedError(
        exceeded.workspace_id,
        exceeded.limit,
        f"the workspace {exceeded.workspace_id} may send {may} (limit {exceeded.limit}); "
        f"try again in {wait_seconds:.1f} s",
        wait_seconds,
    )
