"""A door's short-term memory of requests."""

import threading
import time
from typing import Generic, TypeVar

Note = TypeVar("Note")


class Memory(Generic[Note]):
    """Request ids, each with a note, that expire after a time; thread-safe.

    Ids are kept in two generations, and the older one expires as a whole. So an id needs no
    timestamp: the door adds one for every request.
    """

    def __init__(self, seconds: float, most: int = 400_000) -> None:
        """Keep each id for at least `seconds` and at most twice that, and at most `most` ids."""
        self._seconds = seconds
        self._most = most
        self._young: dict[str, Note | None] = {}
        self._old: dict[str, Note | None] = {}
        self._born = time.monotonic()
        self._lock = threading.Lock()

    def add(self, *request_ids: str, note: Note | None = None) -> None:
        """Remember ids; the time of known ones starts again."""
        with self._lock:
            self._age()
            self._young.update(dict.fromkeys(request_ids, note))

    def discard(self, request_id: str) -> None:
        """Forget an id."""
        with self._lock:
            self._young.pop(request_id, None)
            self._old.pop(request_id, None)

    def get(self, request_id: str) -> Note | None:
        """The note on an id; None if there is none or the id is unknown."""
        with self._lock:
            self._age()
            return self._young.get(request_id) or self._old.get(request_id)

    def __contains__(self, request_id: object) -> bool:
        with self._lock:
            self._age()
            return request_id in self._young or request_id in self._old

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def _age(self) -> None:
        now = time.monotonic()
        age = now - self._born
        if age >= 2 * self._seconds:
            self._young, self._old, self._born = {}, {}, now
        elif age >= self._seconds:
            # From when it was due: a late check must not keep ids for longer.
            self._turn(self._born + self._seconds)
        elif len(self._young) >= self._most // 2:
            self._turn(now)

    def _turn(self, born: float) -> None:
        self._young, self._old, self._born = {}, self._young, born
