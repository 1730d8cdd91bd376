"""Stores what waits although no hint arrives: those come through the main broker alone."""

import threading

import structlog

from worker.storing import Storing

log = structlog.get_logger(__name__)

_LOOK_EVERY = 1.0
_QUIET_SECONDS = 3.0


class Looking:
    """A thread that stores when nobody has for some seconds, for workers of several ledgers."""

    def __init__(self, storing: Storing) -> None:
        """Let `storing` run."""
        self._storing = storing
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="looking", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after its current batch."""
        self._stopping.set()
        self._thread.join(timeout=60)

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_EVERY):
            try:
                if self._storing.quiet_seconds >= _QUIET_SECONDS:
                    self._storing.run()
            except Exception:
                # Without this thread, all ledgers would wait for the main broker.
                log.exception("looking: failed")
