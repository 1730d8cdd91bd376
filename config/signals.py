"""Wait for the signals that ask a process to stop."""

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Stop:
    """A request to stop, which can be waited for.

    Not a `threading.Event`: setting one takes its lock. A signal handler runs in the main thread,
    and would deadlock if that thread holds the lock because it is entering or leaving `wait`.
    """

    def __init__(self) -> None:
        self._asked, self._ask = os.pipe()
        os.set_blocking(self._ask, False)
        # Unlike select, poll takes descriptors of any number.
        self._poll = select.poll()
        self._poll.register(self._asked, select.POLLIN)

    @property
    def wakeup(self) -> int:
        """A non-blocking descriptor; writing anything to it asks for the stop."""
        return self._ask

    def ask(self, *_: object) -> None:
        """Ask for the stop; also usable as a signal handler."""
        with suppress(BlockingIOError):
            os.write(self._ask, b"!")

    def is_set(self) -> bool:
        """Whether a stop was asked for."""
        return self.wait(0)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the stop, at most `seconds`; returns whether it was asked for."""
        return bool(self._poll.poll(None if seconds is None else 1000 * seconds))

    def close(self) -> None:
        """Close the file descriptors."""
        os.close(self._asked)
        os.close(self._ask)


@contextmanager
def stop_signals() -> Iterator[Stop]:
    """Make SIGINT and SIGTERM ask for a stop instead of ending the process."""
    stop = Stop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    # The system may deliver a signal to any thread. Python runs handlers in the main thread, and
    # only this wakes it from its wait.
    woken_before = signal.set_wakeup_fd(stop.wakeup, warn_on_full_buffer=False)
    before = {number: signal.signal(number, stop.ask) for number in numbers}
    try:
        yield stop
    finally:
        for number, action in before.items():
            signal.signal(number, action)
        signal.set_wakeup_fd(woken_before)
        stop.close()
