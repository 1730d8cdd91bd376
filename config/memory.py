"""Memory that a process has freed, and the allocator keeps."""

import ctypes
import os
from contextlib import suppress
from pathlib import Path

TRIM_SECONDS = 15.0
"""How often to look."""

_GROWTH = 64 << 20
_STATM = Path("/proc/self/statm")


class Trimmer:
    """Gives freed memory back to the system after a flood has passed.

    glibc keeps what lies below one block that is still in use: a door that has held 400 MiB of
    calls for a second would have them for ever. Elsewhere this does nothing.
    """

    def __init__(self) -> None:
        """Begin with what the process has now."""
        self._trim = None
        with suppress(OSError, AttributeError):
            self._trim = ctypes.CDLL(None).malloc_trim
        self._least = _resident()

    def look(self) -> None:
        """Trim if the process has grown; costs nothing if it has not."""
        if self._trim is not None and _resident() > self._least + _GROWTH:
            self._trim(0)
            self._least = _resident()
        self._least = min(self._least, _resident())


def _resident() -> int:
    try:
        pages = int(_STATM.read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
