"""Reads what of the broker belongs to a backup, while everything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from config.batched import batched
from ledger import keys
from ledger.backup import kept
from ledger.backup.entries import ChunkEntry, Entry, KeyEntry, NextLedger, ValueType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ledger.broker import Broker

_SCANNED_AT_ONCE = 1000
_CHUNKS_AT_ONCE = 16
_VALUES_AT_ONCE = 10_000
_NEVER = -1
_GONE = -2

Pairs = list[tuple[bytes, float]]


def snapshots(brokers: Sequence[Broker]) -> Iterator[Entry]:
    """The :func:`snapshot` of each ledger, the main one first."""
    for number, broker in enumerate(brokers):
        if number:
            yield NextLedger()
        yield from snapshot(broker)


def snapshot(broker: Broker) -> Iterator[Entry]:
    """What belongs to a backup, in the order of `ledger.backup.kept`.

    Each chunk that was acknowledged before this is called is given, unless it is settled before it
    is read: then its rows are in ClickHouse. So ClickHouse is read after this has ended.

    Raises:
        BrokerError: the broker does not answer.
    """
    yield from _early(broker)
    waiting, dead, whole = _cut(broker)
    yield from whole
    for found, is_dead in ((waiting, False), (dead, True)):
        for some in batched(found, _CHUNKS_AT_ONCE):
            yield from _chunks(broker, some, is_dead=is_dead)


def _early(broker: Broker) -> Iterator[Entry]:
    cursor = -1
    while cursor:
        with broker.reading() as client:
            scanned: Any = client.scan(
                max(0, cursor), match=f"{keys.PREFIX}*", count=_SCANNED_AT_ONCE
            )
        cursor, names = int(scanned[0]), cast("list[bytes]", scanned[1])
        yield from _keys(broker, [n for n in names if kept.how(n.decode()) == "early"])


def _cut(broker: Broker) -> tuple[Pairs, Pairs, list[KeyEntry]]:
    """The ids of chunks that wait and of dead letters, and what must be of the same moment."""
    names = [name.encode() for name in kept.of("at the cut")]
    types = _types(broker, names)
    with broker.reading() as client:
        pipeline = client.pipeline(transaction=True)
        pipeline.zrange(keys.LEDGER, 0, -1, withscores=True)
        pipeline.zrange(keys.DEAD, 0, -1, withscores=True)
        for name, kind in types:
            _ask(pipeline, name, kind)
        waiting, dead, *values = pipeline.execute()
    whole = [
        part
        for (name, kind), value in zip(types, values, strict=True)
        for part in _parts(name, kind, value, _NEVER)
    ]
    return waiting, dead, whole


def _types(broker: Broker, names: Sequence[bytes]) -> list[tuple[bytes, ValueType]]:
    with broker.reading() as client:
        pipeline = client.pipeline(transaction=False)
        for name in names:
            pipeline.type(name)
        types = [kind.decode() for kind in pipeline.execute()] if names else []
    return [(n, cast("ValueType", t)) for n, t in zip(names, types, strict=True) if t != "none"]


def _keys(broker: Broker, names: Sequence[bytes]) -> Iterator[KeyEntry]:
    types = _types(broker, names)
    with broker.reading() as client:
        pipeline = client.pipeline(transaction=True)
        for name, kind in types:
            _ask(pipeline, name, kind)
            pipeline.pexpiretime(cast("str", name))
        replies = pipeline.execute() if types else []
    for (name, kind), value, expires in zip(types, replies[::2], replies[1::2], strict=True):
        if expires != _GONE:
            yield from _parts(name, kind, value, expires)


def _ask(pipeline: Any, name: bytes, kind: ValueType) -> None:  # noqa: ANN401 - redis-py's
    ask = {
        "string": lambda: pipeline.get(name),
        "hash": lambda: pipeline.hgetall(name),
        "list": lambda: pipeline.lrange(name, 0, -1),
        "set": lambda: pipeline.smembers(name),
        "zset": lambda: pipeline.zrange(name, 0, -1, withscores=True),
    }
    ask[kind]()


def _parts(name: bytes, kind: ValueType, value: Any, expires: int) -> Iterator[KeyEntry]:  # noqa: ANN401 - by type
    for part in batched(_values(kind, value), _VALUES_AT_ONCE):
        yield KeyEntry(name, kind, list(part), 0 if expires == _NEVER else expires)


def _values(kind: ValueType, value: Any) -> Iterable[bytes]:  # noqa: ANN401 - by type
    if kind == "string":
        return [] if value is None else [value]
    if kind == "hash":
        return [each for pair in value.items() for each in pair]
    if kind == "zset":
        return [each for member, score in value for each in (member, repr(score).encode())]
    return list(value)


def _chunks(
    broker: Broker, some: Iterable[tuple[bytes, float]], *, is_dead: bool
) -> Iterator[ChunkEntry]:
    """Those that are still there."""
    found = list(some)
    with broker.reading() as client:
        pipeline = client.pipeline(transaction=False)
        for chunk_id, _ in found:
            pipeline.hgetall(keys.CHUNK + chunk_id.decode())
        replies = pipeline.execute()
    for (chunk_id, at_ms), fields in zip(found, replies, strict=True):
        if fields:
            yield ChunkEntry(chunk_id, int(at_ms), is_dead, fields)
