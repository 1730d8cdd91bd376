"""Iterables in pieces."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of `size` items each, the last perhaps shorter."""
    rest = iter(items)
    while piece := list(islice(rest, size)):
        yield piece
