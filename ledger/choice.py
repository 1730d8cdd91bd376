"""Which ledger a workspace's chunks go to.

By rendezvous hashing: each workspace has a weight for each ledger, and the heaviest is chosen. So
the order of the ledgers does not matter, and one more takes its share from all others and moves
nothing between these.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache

_MOST_REMEMBERED = 100_000


@lru_cache(_MOST_REMEMBERED)
def chosen(workspace_id: str, names: Sequence[str]) -> str:
    """The one of `names` for a workspace."""
    if len(names) == 1:
        return names[0]
    return max(names, key=lambda name: (_weight(workspace_id, name), name))


def _weight(workspace_id: str, name: str) -> bytes:
    # Neither a name nor a workspace has a line break.
    return hashlib.blake2b(f"{name}\n{workspace_id}".encode(), digest_size=8).digest()
