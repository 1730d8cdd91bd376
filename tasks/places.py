"""How many threads of a worker do a thing at the same time; those turned away are not forgotten."""

import threading


class Places:
    """So many threads may be at a thing at a time; any thread may ask for a place.

    A thread that is turned away does not wait: the pool's threads have other work as well. What it
    came for is seen by one that has a place, if that one looks once more whenever :meth:`asked` or
    :meth:`leave` says that somebody was turned away. So nothing that is asked for between the last
    look of one and its leaving is left lying.
    """

    def __init__(self, most: int) -> None:
        """Make `most` places."""
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
        """Whether anybody was turned away since somebody last asked this."""
        with self._lock:
            return self._take_note()

    def leave(self) -> bool:
        """Give a place back; whether anybody was turned away since somebody last asked."""
        with self._lock:
            self._free += 1
            return self._take_note()

    def _take_note(self) -> bool:
        noted, self._turned_away = self._turned_away, False
        return noted
