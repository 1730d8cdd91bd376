"""Which backups were made lately, and the lock that lets one be made at a time."""

from collections.abc import Sequence
from typing import cast

import msgspec

from ledger import keys
from ledger.broker import Broker

_MOST = 20
_LOCK_MS = 60_000


class BackupRecord(msgspec.Struct, frozen=True):
    """A backup that was made, or failed."""

    name: str
    place: str
    began_ms: int
    ended_ms: int
    error: str = ""
    """Why it failed."""
    base: str = ""
    rows: int = 0
    bytes: int = 0
    """That were written for it."""


def recent_backups(broker: Broker) -> list[BackupRecord]:
    """The last backups, the newest first. Raises BrokerError."""
    with broker.reading() as client:
        found = cast("list[bytes]", client.lrange(keys.BACKUPS, 0, _MOST - 1))
    return [msgspec.json.decode(each, type=BackupRecord) for each in found]


def note(broker: Broker, record: BackupRecord) -> None:
    """Add a backup to the list. Raises BrokerError."""
    with broker.reading() as client:
        pipeline = client.pipeline()
        pipeline.lpush(keys.BACKUPS, msgspec.json.encode(record))
        pipeline.ltrim(keys.BACKUPS, 0, _MOST - 1)
        pipeline.execute()


class BackupLock:
    """Held in each ledger while a backup is made; every method raises BrokerError."""

    def __init__(self, brokers: Sequence[Broker], name: str) -> None:
        """The lock of the backup `name`, in the brokers of all ledgers."""
        self._brokers = brokers
        self._name = name

    def take(self) -> bool:
        """Take it; False if another backup has it."""
        if all(self._take(broker) for broker in self._brokers):
            return True
        self.give_back()
        return False

    def renew(self) -> bool:
        """Hold it for another minute; False if it was lost."""
        return all(self._renew(broker) for broker in self._brokers)

    def give_back(self) -> None:
        """Let others take it."""
        for broker in self._brokers:
            with broker.reading() as client:
                if client.get(keys.BACKUP) == self._name.encode():
                    client.delete(keys.BACKUP)

    def _take(self, broker: Broker) -> bool:
        with broker.reading() as client:
            return bool(client.set(keys.BACKUP, self._name, nx=True, px=_LOCK_MS))

    def _renew(self, broker: Broker) -> bool:
        with broker.reading() as client:
            held = client.get(keys.BACKUP) == self._name.encode()
            return held and bool(client.pexpire(keys.BACKUP, _LOCK_MS))
