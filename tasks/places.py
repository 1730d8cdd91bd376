"""Places: a limit to the threads of a worker that do one thing at the same time."""

import threading


class Places:
    """Limits how many threads do a thing at the same time; any thread may ask for a place.

    A thread that finds no place free does not wait, because the pool's threads have other work.
    Instead, a thread that has a place looks once more for work whenever :meth:`asked` or
    :meth:`leave` says that another was turned away. So work that is asked for between that
    thread's last look and its leaving is not missed.
    """

    def __init__(self, most: int) -> None:
        """Allow `most` threads."""
        self._free = most
        self._turned_away = False
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Take a place, if one is free."""
        with self._lock:
            if not self._free:
                self._turned_away = True
                return False
            self._free -= 1
            return True

    def asked(self) -> bool:
        """Whether a thread was turned away since the last look."""
        with self._lock:
            return self._take_note()

    def leave(self) -> bool:
        """Give a place back; whether a thread was turned away since the last look."""
        with self._lock:
            self._free += 1
            return self._take_note()

    def _take_note(self) -> bool:
        noted, self._turned_away = self._turned_away, False
        return noted
