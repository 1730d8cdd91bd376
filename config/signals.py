"""Signals that ask a process to stop, as something to wait for."""

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Stop:
    """Whether a stop was asked for.

    Not a `threading.Event`: to set one takes its lock. A handler runs in the main thread, and if
    that one is just beginning or ending to wait, it holds the lock itself, for ever.
    """

    def __init__(self) -> None:
        self._asked, self._ask = os.pipe()
        os.set_blocking(self._ask, False)
        # Other than select, it takes descriptors of any number.
        self._poll = select.poll()
        self._poll.register(self._asked, select.POLLIN)

    @property
    def wakeup(self) -> int:
        """A descriptor that does not block; whatever is written to it asks for the stop."""
        return self._ask

    def ask(self, *_: object) -> None:
        """Ask for it; also as a signal's handler."""
        with suppress(BlockingIOError):
            os.write(self._ask, b"!")

    def is_set(self) -> bool:
        """Whether it was asked for."""
        return self.wait(0)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is asked for, at most `seconds`; says whether it was."""
        return bool(self._poll.poll(None if seconds is None else 1000 * seconds))

    def close(self) -> None:
        """Give the file descriptors back."""
        os.close(self._asked)
        os.close(self._ask)


@contextmanager
def stop_signals() -> Iterator[Stop]:
    """What SIGINT and SIGTERM ask for, instead of ending the process."""
    stop = Stop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    # A signal may reach a thread of a library. Python runs handlers in the main thread, which
    # nothing would wake from its wait but this.
    woken_before = signal.set_wakeup_fd(stop.wakeup, warn_on_full_buffer=False)
    before = {number: signal.signal(number, stop.ask) for number in numbers}
    try:
        yield stop
    finally:
        for number, action in before.items():
            signal.signal(number, action)
        signal.set_wakeup_fd(woken_before)
        stop.close()
