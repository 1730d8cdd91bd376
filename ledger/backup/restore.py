"""Puts what a backup has of the broker into an empty one."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, cast

from config.batched import batched
from ledger import keys
from ledger.backup import kept
from ledger.backup.entries import ChunkEntry, Entry, KeyEntry, NextLedger
from ledger.broker import Broker, Script
from ledger.chunk import unpack_header

_AT_ONCE = 16
_FINISHED = (b"done", b"failed", b"cancelled")


@dataclass(frozen=True, slots=True)
class Counted:
    """What a ledger's backup holds."""

    chunks: int = 0
    """That wait."""
    records: int = 0
    """In these."""
    dead_letters: int = 0
    keys: int = 0
    """Others: receipts, settings, jobs and so on; parts of large ones count apart."""

    def plus(self, entry: Entry) -> "Counted":
        """With one more entry."""
        if isinstance(entry, NextLedger):
            return self
        if isinstance(entry, KeyEntry):
            return Counted(self.chunks, self.records, self.dead_letters, self.keys + 1)
        if entry.dead:
            return Counted(self.chunks, self.records, self.dead_letters + 1, self.keys)
        records = self.records + int(entry.fields[b"records"])
        return Counted(self.chunks + 1, records, self.dead_letters, self.keys)


def found_in(broker: Broker) -> str:
    """A key of `broker` that a restore would add to; empty if there is none.

    Raises:
        BrokerError: the broker does not answer.
    """
    cursor = -1
    while cursor:
        with broker.reading() as client:
            scanned: Any = client.scan(max(0, cursor), match=f"{keys.PREFIX}*", count=1000)
        cursor, names = int(scanned[0]), cast("list[bytes]", scanned[1])
        for name in names:
            if kept.how(name.decode()) not in {"left out", "made anew"}:
                return name.decode()
    return ""


def restore(brokers: Sequence[Broker], entries: Iterable[Entry]) -> Counted:
    """Put entries into the brokers of ledgers, in their order, which have none of them.

    Which workspaces a ledger has does not matter: all ledgers are drained, and new ones ask the
    others for requests that they know.

    Chunks wait again; each counts as tried, since its rows may be in ClickHouse. Unfinished jobs
    are due at once.

    Raises:
        BrokerError: the broker failed; what was put there stays.
    """
    counted = Counted()
    for number, of_one in groupby(_numbered(entries), key=itemgetter(0)):
        counted = _restore_one(brokers[number], (entry for _, entry in of_one), counted)
    return counted


def _restore_one(broker: Broker, entries: Iterable[Entry], counted: Counted) -> Counted:
    script = Script("restore_chunk")
    for some in batched(entries, _AT_ONCE):
        _put(broker, [entry for entry in some if isinstance(entry, KeyEntry)])
        for entry in some:
            counted = counted.plus(entry)
            if isinstance(entry, ChunkEntry):
                broker.run(script, *_arguments(entry))
    return counted


def _numbered(entries: Iterable[Entry]) -> Iterator[tuple[int, Entry]]:
    """The entries, each with the place of its ledger."""
    number = 0
    for entry in entries:
        if isinstance(entry, NextLedger):
            number += 1
        else:
            yield number, entry


def _arguments(entry: ChunkEntry) -> list[str | bytes | int]:
    header = unpack_header(entry.fields[b"header"])
    fields = [value for pair in entry.fields.items() for value in pair]
    place = (entry.id, entry.at_ms, int(entry.dead))
    return [*place, header.signal, header.workspace_id, header.client_id, *fields]


def _put(broker: Broker, entries: Iterable[KeyEntry]) -> None:
    now = keys.now_ms()
    with broker.reading() as client:
        pipeline = client.pipeline(transaction=True)
        for entry in entries:
            if entry.expires_ms and entry.expires_ms <= now:
                continue
            _add(pipeline, entry)
            if entry.expires_ms:
                pipeline.pexpireat(entry.key, entry.expires_ms)
            if _is_unfinished_job(entry):
                job_id = entry.key.decode().removeprefix(keys.JOB)
                pipeline.zadd(keys.JOBS, {job_id: now})
        pipeline.execute()


def _add(pipeline: Any, entry: KeyEntry) -> None:  # noqa: ANN401 - redis-py's
    key, values = entry.key, entry.values
    pairs = dict(zip(values[::2], values[1::2], strict=False))
    add = {
        "string": lambda: pipeline.set(key, values[0]),
        "hash": lambda: pipeline.hset(key, mapping=pairs),
        "list": lambda: pipeline.rpush(key, *values),
        "set": lambda: pipeline.sadd(key, *values),
        "zset": lambda: pipeline.zadd(key, {m: float(score) for m, score in pairs.items()}),
    }
    add[entry.kind]()


def _is_unfinished_job(entry: KeyEntry) -> bool:
    if entry.kind != "hash" or not entry.key.startswith(keys.JOB.encode()):
        return False
    fields = dict(zip(entry.values[::2], entry.values[1::2], strict=True))
    return fields.get(b"state") not in _FINISHED
