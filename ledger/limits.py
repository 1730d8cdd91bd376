"""What a workspace may send, keep and ask: its own limits, else those of all workspaces."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from ledger.broker import Broker
from ledger.shared import SharedTable, SharedView, next_version
from storage.clickhouse.client import Clickhouse
from storage.decode.attribute_limits import AttributeLimits

DEFAULT = "*"
"""Name of the entry that holds for workspaces without a limit of their own."""

BURST_SECONDS = 10.0
"""How much may come at once: what is allowed in this time."""


class Limits(msgspec.Struct, frozen=True):
    """The limits of a workspace; None: as for all workspaces, and there: no limit."""

    version: int = 0
    records_per_second: float | None = None
    bytes_per_second: float | None = None
    """Uncompressed OTLP bytes."""
    bytes_per_day: int | None = None
    """Uncompressed OTLP bytes in a day in UTC."""
    bytes_kept: int | None = None
    """Compressed bytes in ClickHouse; beyond them the oldest days go."""
    attributes_per_record: int | None = None
    """The rest is dropped, as OTel SDKs do it."""
    attribute_length: int | None = None
    """Characters of an attribute's value; longer ones are cut, as OTel SDKs do it."""
    queries: int | None = None
    """Queries at a time, in each API process."""
    query_seconds: float | None = None
    query_rows: int | None = None
    """Rows that a query may read."""
    live_readers: int | None = None
    """Readers of the live tail at a time, in each API process."""

    @property
    def of_intake(self) -> tuple[float | None, float | None, int | None]:
        """Those that the ledger applies: records and bytes a second, bytes a day."""
        return self.records_per_second, self.bytes_per_second, self.bytes_per_day


NAMES: tuple[str, ...] = tuple(name for name in Limits.__struct_fields__ if name != "version")

FRACTIONS = frozenset({"records_per_second", "bytes_per_second", "query_seconds"})
"""Limits that need not be whole numbers."""

LEAST = {"attribute_length": 32}
"""The lowest that a limit may be, if not 1: so no number is ever cut."""

MOST = 10**15

UNLIMITED = Limits()

_MOST_REMEMBERED = 10_000
"""Workspaces; whoever sends records makes up their names."""


class Exceeded(NamedTuple):
    """A limit that a workspace has used up."""

    workspace_id: str
    limit: str
    """Its name in :class:`Limits`."""
    most: float
    """How much it allows."""
    records: int
    """How many may come now; -1: any number."""
    bytes: int
    """As `records`."""
    wait_ms: int
    """Until what was refused may come."""


def exceeded(  # noqa: PLR0913, PLR0917 - as the broker's script answers
    workspace_id: bytes, limit: bytes, most: bytes, records: int, size: int, wait_ms: int
) -> Exceeded:
    """What `accept.lua` says of one workspace."""
    return Exceeded(workspace_id.decode(), limit.decode(), float(most), records, size, wait_ms)


class LimitBook:
    """The limits of all workspaces; any thread may use it. Every method raises SharedError."""

    def __init__(self, broker: Broker, clickhouse: Clickhouse) -> None:
        """Keep limits in both stores."""
        self.table = SharedTable("limits", Limits, broker, clickhouse)

    def own(self, workspace_id: str) -> Limits:
        """What is set for a workspace, or for all of them (:data:`DEFAULT`)."""
        return self.table.all().get(workspace_id, UNLIMITED)

    def change(self, workspace_id: str, changes: Mapping[str, float | None]) -> Limits:
        """Change limits; None removes one. Returns what is set then."""
        before = self.own(workspace_id)
        changed = msgspec.structs.replace(
            before, version=next_version(before.version), **dict(changes)
        )
        self.table.put(workspace_id, changed, "Repeat this until it succeeds.")
        return changed

    def effective(self, workspace_id: str) -> Limits:
        """What holds for a workspace."""
        return combined(self.table.all(), workspace_id)


class LimitView:
    """The limits as a process knows them, no older than a second or two."""

    def __init__(self, broker: Broker, clickhouse: Clickhouse) -> None:
        """Show what both stores have."""
        self._limits: dict[str, Limits] = {}
        self._view = SharedView(LimitBook(broker, clickhouse).table, self._learn)

    def start(self) -> None:
        """Look once, then every second."""
        self._view.start()

    def stop(self) -> None:
        """Look no more."""
        self._view.stop()

    def refresh(self) -> None:
        """Look now."""
        self._view.refresh()

    def of(self, workspace_id: str) -> Limits:
        """What holds for a workspace; asked for each request."""
        if not self._view.entries:
            return UNLIMITED
        # Taken before the look: what is learned meanwhile begins another.
        remembered = self._limits
        found = remembered.get(workspace_id)
        if found is None:
            if len(remembered) >= _MOST_REMEMBERED:
                remembered.clear()
            found = remembered[workspace_id] = combined(self._view.entries, workspace_id)
        return found

    def attributes(self, workspace_id: str) -> AttributeLimits:
        """What holds for the attributes of a workspace's records."""
        limits = self.of(workspace_id)
        return AttributeLimits(limits.attributes_per_record, limits.attribute_length)

    def _learn(self, _: Mapping[str, Limits]) -> None:
        self._limits = {}


def combined(entries: Mapping[str, Limits], workspace_id: str) -> Limits:
    """A workspace's own limits, and those of all workspaces where it has none."""
    everywhere = entries.get(DEFAULT, UNLIMITED)
    own = entries.get(workspace_id, UNLIMITED)
    values = {
        name: getattr(everywhere, name) if getattr(own, name) is None else getattr(own, name)
        for name in NAMES
    }
    return Limits(**values)
