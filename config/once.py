"""What a process builds once, when it is first needed, however many threads need it at once."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """Decorates a function without arguments, which is called at most once.

    `functools.cache` calls it again for each thread that asks before the first call has ended. If
    the function raises, nothing is kept, and the next call tries again.
    """

    def __init__(self, build: Callable[[], T]) -> None:
        self._build = build
        self._built: list[T] = []
        # The function may ask for something else that is built once, in any order but in a circle.
        self._lock = threading.Lock()

    def __call__(self) -> T:
        """What the function gave."""
        with self._lock:
            if not self._built:
                self._built.append(self._build())
            return self._built[0]

    @property
    def is_built(self) -> bool:
        """Whether anybody has needed it yet."""
        return bool(self._built)
