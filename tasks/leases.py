"""Leases that this process may hold though none of its threads knows or works on them."""

import secrets
import threading
import time


class LeftLeases:
    """Names of such leases: an answer of the broker was lost, or it went away in the midst of work.

    Only who asks for a lease gives it its name, so that this process alone may take it back before
    its time. A call whose answer was lost may still run later, so that a name is kept for as long
    as its lease could last. Any thread may use this.
    """

    def __init__(self, seconds: float) -> None:
        """Leases last `seconds`."""
        self._seconds = seconds
        self._until: dict[str, float] = {}
        self._lock = threading.Lock()

    def add(self, lease: str) -> None:
        """Release that lease, if there is such a lease."""
        with self._lock:
            self._until[lease] = time.monotonic() + self._seconds

    def names(self) -> list[str]:
        """Those that may still be held."""
        now = time.monotonic()
        with self._lock:
            self._until = {name: until for name, until in self._until.items() if until > now}
            return list(self._until)


def new_lease() -> str:
    """A name for a lease that is about to be asked for."""
    return secrets.token_hex(8)
