"""Leases that this process may hold but does not work on."""

import secrets
import threading
import time


class AbandonedLeases:
    """Names of such leases: the broker's answer was lost, or it went away during the work.

    The process that asks for a lease names it, so only this process can take it back early. A call
    whose answer was lost may still run later, so a name is kept for as long as its lease could
    last. Thread-safe.
    """

    def __init__(self, seconds: float) -> None:
        """Leases last `seconds`."""
        self._seconds = seconds
        self._until: dict[str, float] = {}
        self._lock = threading.Lock()

    def add(self, lease: str) -> None:
        """Note that this lease is not worked on, if it exists at all."""
        with self._lock:
            self._until[lease] = time.monotonic() + self._seconds

    def names(self) -> list[str]:
        """Leases that may still be held."""
        now = time.monotonic()
        with self._lock:
            self._until = {name: until for name, until in self._until.items() if until > now}
            return list(self._until)


def new_lease() -> str:
    """A name for a lease to ask for."""
    return secrets.token_hex(8)
