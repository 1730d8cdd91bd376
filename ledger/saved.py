"""What people save in a workspace: searches and dashboards."""

import secrets
from typing import Any, Literal

import msgspec

from config.units import NS_PER_MS
from ledger.broker import Broker
from ledger.shared import ChangedError, SharedTable, kinds_of, next_version
from storage.clickhouse.client import Clickhouse

SavedKind = Literal["saved-searches", "dashboards"]

MOST: dict[SavedKind, int] = {"saved-searches": 200, "dashboards": 100}
"""How many a workspace may have."""

MOST_BYTES: dict[SavedKind, int] = {"saved-searches": 16 * 1024, "dashboards": 64 * 1024}
"""Size of one, as JSON."""

_OTHERWISE = "Read it again: it may be changed."


class TooManyError(Exception):
    """The workspace has as many as it may have."""


class TooLargeError(Exception):
    """It is larger than it may be."""


class Saved(msgspec.Struct, frozen=True):
    """A saved search or dashboard."""

    id: str
    version: int = 0
    """Unix ns of the last change."""
    content: dict[str, Any] = {}
    """As the API takes it; empty if it is deleted."""
    created_ms: int = 0
    created_by: str = ""
    """The name of a key or user."""
    changed_by: str = ""
    deleted: bool = False

    @property
    def changed_ms(self) -> int:
        """When it was changed last, in Unix ms."""
        return self.version // NS_PER_MS


class SavedBook:
    """What is saved of one kind in one workspace; any thread may use it.

    Every method raises SharedError if the stores cannot be read, or not both be written.
    """

    def __init__(
        self, kind: SavedKind, workspace_id: str, broker: Broker, clickhouse: Clickhouse
    ) -> None:
        """Keep it in both stores."""
        self._kind = kind
        self._table = SharedTable(_kind_of(kind, workspace_id), Saved, broker, clickhouse)

    def all(self) -> list[Saved]:
        """All of them, by name."""
        found = (each for each in self._table.all().values() if not each.deleted)
        return sorted(found, key=lambda each: (str(each.content.get("name")), each.id))

    def get(self, saved_id: str) -> Saved | None:
        """One of them; None if there is none with this id."""
        found = self._table.all().get(saved_id)
        return None if found is None or found.deleted else found

    def create(self, content: dict[str, Any], by: str) -> Saved:
        """Save something new.

        Raises:
            TooManyError: the workspace has as many as it may have.
            TooLargeError: `content` is too large.
        """
        self._check_size(content)
        if len(self.all()) >= MOST[self._kind]:
            raise TooManyError
        version = next_version()
        made = Saved(secrets.token_hex(8), version, content, version // NS_PER_MS, by, by)
        self._table.put(made.id, made, _OTHERWISE)
        return made

    def change(self, before: Saved, content: dict[str, Any], by: str) -> Saved:
        """Replace the content.

        Raises:
            ChangedError: it is no longer the version in `before`.
            TooLargeError: `content` is too large.
        """
        self._check_size(content)
        return self._replace(before, content=content, changed_by=by)

    def delete(self, before: Saved, by: str) -> None:
        """Delete it. Raises ChangedError as :meth:`change`."""
        self._replace(before, content={}, changed_by=by, deleted=True)

    def _replace(self, before: Saved, **changes: Any) -> Saved:  # noqa: ANN401 - any of its fields
        version = next_version(before.version)
        changed = msgspec.structs.replace(before, version=version, **changes)
        self._table.replace(before.id, changed, before.version, _OTHERWISE)
        return changed

    def _check_size(self, content: dict[str, Any]) -> None:
        if len(msgspec.json.encode(content)) > MOST_BYTES[self._kind]:
            raise TooLargeError


def saved_tables(broker: Broker, clickhouse: Clickhouse) -> list[SharedTable[Saved]]:
    """The tables of all workspaces.

    Raises:
        StorageError: ClickHouse is away.
        BrokerError: the broker is away.
    """
    kinds = [each for kind in MOST for each in kinds_of(f"{kind}:", broker, clickhouse)]
    return [SharedTable(kind, Saved, broker, clickhouse) for kind in kinds]


def _kind_of(kind: SavedKind, workspace_id: str) -> str:
    return f"{kind}:{workspace_id}"


__all__ = [
    "MOST",
    "MOST_BYTES",
    "ChangedError",
    "Saved",
    "SavedBook",
    "SavedKind",
    "TooLargeError",
    "TooManyError",
    "saved_tables",
]
