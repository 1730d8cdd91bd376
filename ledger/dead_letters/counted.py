"""How many dead letters are in ClickHouse, counted by the ledgers that moved them.

Each ledger counts what it moved, less what was replayed or dropped there. The sum is their number.
"""

from collections.abc import Callable
from typing import cast

from ledger import keys
from ledger.broker import Broker
from ledger.ledger import Ledger
from ledger.ledgers import AnyLedger
from storage.clickhouse.errors import StorageError

_FIELD = "spilled"


def any_spilled(ledger: AnyLedger, count_there: Callable[[], int]) -> bool:
    """Whether any dead letters are in ClickHouse.

    If a ledger is new, or lost its count, they are counted there with `count_there`. Raises
    BrokerError.
    """
    counts = [_count(each.broker) for each in ledger.all]
    known = sum(count or 0 for count in counts)
    if None not in counts:
        return known > 0
    try:
        there = count_there()
    except StorageError:
        # A ledger that knows of none may be read without ClickHouse.
        return known > 0
    _correct(ledger, counts, there - known)
    return there > 0


def take_over(leaving: Ledger, main: Ledger) -> None:
    """Add the count of a ledger that is forgotten to the main one's. Raises BrokerError."""
    count = _count(leaving.broker)
    if count:
        with main.broker.reading() as client:
            client.hincrby(keys.WAITING, _FIELD, count)
    with leaving.broker.reading() as client:
        client.hdel(keys.WAITING, _FIELD)


def _correct(ledger: AnyLedger, counts: list[int | None], missing: int) -> None:
    """Add what is missing to the main ledger's count, once, whoever does this at the same time."""
    main, *others = ledger.all
    added = False
    if counts[0] is None:
        with main.broker.reading() as client:
            client.hsetnx(keys.WAITING, _FIELD, str(missing))
        added = True
    for each, count in zip(others, counts[1:], strict=True):
        if count is not None:
            continue
        with each.broker.reading() as client:
            is_first = client.hsetnx(keys.WAITING, _FIELD, "0")
        if is_first and not added:
            with main.broker.reading() as client:
                client.hincrby(keys.WAITING, _FIELD, missing)
            added = True


def _count(broker: Broker) -> int | None:
    """A ledger's count; None: it has not counted any."""
    with broker.reading() as client:
        known = cast("bytes | None", client.hget(keys.WAITING, _FIELD))
    return None if known is None else int(known)
