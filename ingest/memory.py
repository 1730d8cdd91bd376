"""A door's short memory of requests whose fate the broker does not know."""

import threading
import time
from collections import OrderedDict

_MOST = 1_000_000


class Memory:
    """A set of request ids that forgets each after a time; any thread may use it."""

    def __init__(self, seconds: float) -> None:
        """Keep each id for `seconds`, and at most a million ids."""
        self._seconds = seconds
        self._until: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, request_id: str) -> None:
        """Remember an id."""
        with self._lock:
            self._until[request_id] = time.monotonic() + self._seconds
            self._until.move_to_end(request_id)
            if len(self._until) > _MOST:
                self._until.popitem(last=False)

    def discard(self, request_id: str) -> None:
        """Forget an id."""
        with self._lock:
            self._until.pop(request_id, None)

    def __contains__(self, request_id: object) -> bool:
        if not self._until:
            return False
        with self._lock:
            now = time.monotonic()
            while self._until and next(iter(self._until.values())) < now:
                self._until.popitem(last=False)
            return request_id in self._until

    def __len__(self) -> int:
        return len(self._until)
