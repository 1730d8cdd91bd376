"""Memory that a process has freed but its allocator still holds."""

import ctypes
import os
from contextlib import suppress
from pathlib import Path

TRIM_SECONDS = 15.0
"""How often to check."""

_GROWTH = 64 << 20
_STATM = Path("/proc/self/statm")


class Trimmer:
    """Returns freed memory to the system after a burst.

    glibc keeps everything below a block that is still in use: a door that held 400 MiB of calls
    for a second would keep them forever. Without glibc, this does nothing.
    """

    def __init__(self) -> None:
        """Take the current memory use as the baseline."""
        self._trim = None
        with suppress(OSError, AttributeError):
            self._trim = ctypes.CDLL(None).malloc_trim
        self._baseline = _resident()

    def look(self) -> None:
        """Trim if the process has grown."""
        if self._trim is not None and _resident() > self._baseline + _GROWTH:
            self._trim(0)
            self._baseline = _resident()
        self._baseline = min(self._baseline, _resident())


def _resident() -> int:
    try:
        pages = int(_STATM.read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
