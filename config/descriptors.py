"""How many files and sockets a process may have open."""

import resource
import sys

_MOST = 10_240 if sys.platform == "darwin" else 1 << 20
"""More than that, macOS refuses, though it names no limit."""


def allow_many(wanted: int) -> int:
    """Allow `wanted` open descriptors, or as many as may be; gives how many there may be.

    What programs are started with is often 1,024, however many the system would allow.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST if hard == resource.RLIM_INFINITY else hard
    if soft == resource.RLIM_INFINITY or soft >= min(wanted, most):
        return most if soft == resource.RLIM_INFINITY else soft
    allowed = min(wanted, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed
