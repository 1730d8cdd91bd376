"""Limits how many of a worker's threads run the same work at once."""

import threading


class Places:
    """A semaphore that never blocks. Thread-safe.

    A thread that gets no place does not wait, because the pool's threads have other work. Instead,
    a thread with a place checks for work again if :meth:`turned_away` or :meth:`leave` reports that
    another thread was turned away. So work that arrives just before it leaves is not missed.
    """

    def __init__(self, most: int) -> None:
        """Allow `most` threads."""
        self._free = most
        self._turned_away = False
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Take a place; False if none is free."""
        with self._lock:
            if not self._free:
                self._turned_away = True
                return False
            self._free -= 1
            return True

    def turned_away(self) -> bool:
        """Whether a thread was turned away since the last call of this or :meth:`leave`."""
        with self._lock:
            return self._reset()

    def leave(self) -> bool:
        """Give the place back; returns like :meth:`turned_away`."""
        with self._lock:
            self._free += 1
            return self._reset()

    def _reset(self) -> bool:
        turned_away, self._turned_away = self._turned_away, False
        return turned_away
