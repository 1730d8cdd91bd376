"""Several processes of one door on one port (SO_REUSEPORT), supervised as one."""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

import structlog

log = structlog.get_logger(__name__)

_STOPS = (signal.SIGTERM, signal.SIGINT)


def run(count: int, serve: Callable[[], None]) -> int:
    """Run `serve` in `count` child processes until all have ended.

    SIGTERM and SIGINT are passed to each child once. If one child ends, the others are stopped too,
    so that a supervisor sees the door as a whole.

    Returns: 0 if every child ended with 0, else 1. With a count of one there is no child.
    """
    if count == 1:
        serve()
        return 0
    # Delay a stop that arrives meanwhile, until it can be passed on to all children.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    left = {_fork(serve) for _ in range(count)}
    unsignalled = set(left)

    def stop(*_: object) -> None:
        # Only once: a child that has already restored its handlers would die of a second one.
        while unsignalled:
            with suppress(ProcessLookupError):
                os.kill(unsignalled.pop(), signal.SIGTERM)

    for number in _STOPS:
        signal.signal(number, stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
    failed = False
    while left:
        child, status = os.wait()
        left.discard(child)
        unsignalled.discard(child)
        if status:
            log.error("a process of the door ended", pid=child, why=_why(status))
            failed = True
        stop()
    return int(failed)


def _fork(serve: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    os._exit(_child(serve))


def _child(serve: Callable[[], None]) -> int:
    """Run `serve` to its end, as the interpreter runs a script; returns the exit code.

    A child must not return into its parent's code, so it reports its errors here.
    """
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
        serve()
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)  # noqa: T201 - as the interpreter does
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        log.exception("the door failed")
        return 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
    return 0


def _why(status: int) -> str:
    """The status from `os.wait`, in words."""
    code = os.waitstatus_to_exitcode(status)
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
