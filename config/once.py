"""Objects that a process builds once, on first use by any thread."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """Decorates a function without arguments so that it is called at most once.

    `functools.cache` would call it again for each thread that asks before the first call ends. If
    the function raises, nothing is cached and the next call tries again.
    """

    def __init__(self, build: Callable[[], T]) -> None:
        self._build = build
        self._built: list[T] = []
        # The function may use other Once objects, as long as there is no cycle.
        self._lock = threading.Lock()

    def __call__(self) -> T:
        """The function's result."""
        with self._lock:
            if not self._built:
                self._built.append(self._build())
            return self._built[0]

    @property
    def is_built(self) -> bool:
        """Whether the function has been called yet."""
        return bool(self._built)
