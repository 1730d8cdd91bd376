"""Several processes of one door on one port (SO_REUSEPORT), as one process to the outside."""

import os
import signal
from collections.abc import Callable


def run(count: int, serve: Callable[[], None]) -> int:
    """Run `serve` in `count` child processes until all have ended.

    SIGTERM and SIGINT reach each child once. If one ends by itself the others are stopped too,
    so that whoever supervises sees the door as a whole.

    Returns: 0 if every child ended well, else 1. With a count of one there is no child.
    """
    if count == 1:
        serve()
        return 0
    children = [_fork(serve) for _ in range(count)]
    left = set(children)

    def stop(*_: object) -> None:
        for child in left:
            os.kill(child, signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    failed = False
    while left:
        child, status = os.wait()
        left.discard(child)
        failed |= status != 0
        stop()
    return int(failed)


def _fork(serve: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        serve()
        code = 0
    finally:
        os._exit(code)
