"""Several processes of one door on one port (SO_REUSEPORT), as one process to the outside."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress

_STOPS = (signal.SIGTERM, signal.SIGINT)


def run(count: int, serve: Callable[[], None]) -> int:
    """Run `serve` in `count` child processes until all have ended.

    SIGTERM and SIGINT reach each child once. If one ends by itself the others are stopped too,
    so that whoever supervises sees the door as a whole.

    Returns: 0 if every child ended well, else 1. With a count of one there is no child.
    """
    if count == 1:
        serve()
        return 0
    # A stop asked for while they are made waits until there is somebody to pass it on.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    left = {_fork(serve) for _ in range(count)}
    untold = set(left)

    def stop(*_: object) -> None:
        # Once: who has put the signals' handlers back already would die of a second one.
        while untold:
            with suppress(ProcessLookupError):
                os.kill(untold.pop(), signal.SIGTERM)

    for number in _STOPS:
        signal.signal(number, stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
    failed = False
    while left:
        child, status = os.wait()
        left.discard(child)
        untold.discard(child)
        failed |= status != 0
        stop()
    return int(failed)


def _fork(serve: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
        serve()
        code = 0
    finally:
        os._exit(code)
