"""The audit log: who did what, when. It can be added to and read, not changed.

An entry goes to ClickHouse; while ClickHouse is away, to the broker, and from there to ClickHouse
later. It has an id, so that one that is written twice is there once.
"""

import secrets
import time
from collections.abc import Mapping
from typing import Any, cast

import msgspec

from access.principal import Principal
from config.units import NS_PER_MS
from ledger import keys
from ledger.broker import Broker, BrokerError, Script
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import StorageError

_MOVED_AT_ONCE = 1000
_COLUMNS = "At, Id, Principal, Name, Action, WorkspaceId, Details, Address"


class AuditError(Exception):
    """An act was not done because it could not be recorded; the text is a sentence."""


class AuditEntry(msgspec.Struct, frozen=True):
    """One act."""

    at_ms: int
    id: str
    principal: str
    """Id of the key, or of the session."""
    name: str
    """What people call the principal."""
    action: str
    workspace_id: str
    """Empty: it concerns all workspaces, or none."""
    details: str
    """The arguments, as JSON."""
    address: str
    """Of the client; empty for a command on the machine."""


class AuditLog:
    """The audit log; any thread may use it."""

    def __init__(self, broker: Broker, clickhouse: Clickhouse) -> None:
        """Keep it in both stores."""
        self._broker = broker
        self._clickhouse = clickhouse
        self._moved = Script("audit_moved")

    def record(
        self,
        principal: Principal,
        action: str,
        workspace_id: str,
        details: Mapping[str, Any],
        address: str = "",
    ) -> None:
        """Record an act before it is done.

        Raises:
            AuditError: neither store takes it; the act must not be done.
        """
        at_ns = time.time_ns()
        entry = AuditEntry(
            at_ms=at_ns // NS_PER_MS,
            # In order, also within a millisecond.
            id=f"{at_ns:016x}{secrets.token_hex(8)}",
            principal=principal.id,
            name=principal.name,
            action=action,
            workspace_id=workspace_id,
            details=msgspec.json.encode(details, enc_hook=str).decode(),
            address=address,
        )
        try:
            self._insert([entry])
        except StorageError as error:
            self._keep(entry, error)

    def move(self) -> int:
        """Move entries from the broker to ClickHouse; gives how many that were.

        Raises:
            BrokerError: the broker is away.
            StorageError: ClickHouse is away; they are moved with the next call.
        """
        with self._broker.reading() as client:
            packed = cast("list[bytes]", client.lrange(keys.AUDIT, 0, _MOVED_AT_ONCE - 1))
        if packed:
            self._insert([msgspec.json.decode(each, type=AuditEntry) for each in packed])
            self._broker.run(self._moved, len(packed), packed[0])
        return len(packed)

    def waiting(self) -> list[AuditEntry]:
        """Entries that are not in ClickHouse yet. Raises the broker's errors."""
        with self._broker.reading() as client:
            packed = cast("list[bytes]", client.lrange(keys.AUDIT, 0, -1))
        return [msgspec.json.decode(each, type=AuditEntry) for each in packed]

    def _keep(self, entry: AuditEntry, problem: StorageError) -> None:
        """Keep an entry in the broker, because ClickHouse may not have it."""
        try:
            with self._broker.reading() as client:
                client.rpush(keys.AUDIT, msgspec.json.encode(entry))
        except BrokerError as error:
            reasons = f"ClickHouse: {problem}; the broker: {error}".rstrip(".")
            text = f"This cannot be recorded in the audit log: {reasons}. Nothing was done."
            raise AuditError(text) from error

    def _insert(self, entries: list[AuditEntry]) -> None:
        rows = [
            (
                # A whole number counts in the column's unit.
                each.at_ms,
                each.id,
                each.principal,
                each.name,
                each.action,
                each.workspace_id,
                each.details,
                each.address,
            )
            for each in entries
        ]
        self._clickhouse.insert(f"INSERT INTO audit ({_COLUMNS}) VALUES", rows)
