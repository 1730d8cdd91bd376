"""The limit on open file descriptors."""

import resource
import sys

_MAX_OPEN = 10_240 if sys.platform == "darwin" else 1 << 20
"""macOS refuses more, even where it reports no limit."""


def allow_many(wanted: int) -> int:
    """Raise the limit to `wanted`, or as close as possible; returns the limit.

    Programs are often started with 1,024, even where the system allows more.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = _MAX_OPEN if hard == resource.RLIM_INFINITY else hard
    if soft == resource.RLIM_INFINITY or soft >= min(wanted, highest):
        return highest if soft == resource.RLIM_INFINITY else soft
    allowed = min(wanted, highest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed
