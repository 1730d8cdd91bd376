"""Ends the process when the engine has failed to write to a file.

A ClickHouse server reports an error of write(2). chDB only counts it, and goes on as if the bytes
were on the disk: it confirms the insert, or replaces parts with one that cannot be read. So the
process ends before it confirms anything written since, and at most a second after a merge. The next
start sets aside parts whose files are shorter than recorded, and loads the parts that they were
merged from. See docs/decisions/0041-failed-writes.md.
"""

import logging
import os
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

# Much less than the time for which the engine keeps the parts that were merged.
_WATCH_SECONDS = 1.0

_COUNT = (
    b"SELECT toString(value) FROM system.events "
    b"WHERE event = 'WriteBufferFromFileDescriptorWriteFailed'"
)


class FailedWrites:
    """Looks at the engine's count of failed writes.

    Args:
        ask: Runs a small query and returns its only column, as :meth:`embedded.engine.Engine.ask`.
        end: Ends the process with an exit code, at once.
    """

    def __init__(
        self, ask: Callable[[bytes], list[str]], end: Callable[[int], object] = os._exit
    ) -> None:
        self._ask = ask
        self._end = end
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="failed-writes", daemon=True)

    def start(self) -> None:
        """Start to look once a second, for what merges write."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stopping.set()
        self._thread.join()

    def check(self) -> None:
        """End the process if a write has failed; call it before confirming what was written."""
        for count in self._ask(_COUNT):
            log.critical(
                "writes to the disk have failed (%s); ending, so that nothing is confirmed that is "
                "not stored. The next start uses what was stored before",
                count,
            )
            self._end(os.EX_IOERR)

    def _watch(self) -> None:
        while not self._stopping.wait(_WATCH_SECONDS):
            try:
                self.check()
            except Exception:
                log.exception("the count of failed writes is not known")
