"""What ledgers know of each other, so that none that holds chunks is forgotten.

Each ledger keeps the names of all of them, and which one is in the main broker. A process that
is started without one of them refuses to start.
"""

from typing import cast

from config.settings import Settings
from ledger import keys
from ledger.broker import Broker, BrokerError
from ledger.dead_letters.counted import take_over
from ledger.ledger import Ledger
from ledger.ledgers import Ledgers

_MAIN = "main"
_OPENED = "opened"
_EVER = 1
_GUIDE = "docs/operating/ledgers.md says how"


class LedgersChangedError(Exception):
    """REDIS_URL lacks a ledger, or begins with another one; the text is a sentence."""


def register(settings: Settings) -> None:
    """Check that no ledger is missing in `REDIS_URL`, and note those that are in it.

    Ledgers that do not answer are left out.

    Raises:
        LedgersChangedError: it does not fit what the ledgers know.
    """
    addresses = settings.ledger_addresses
    names = [each.name for each in addresses]
    is_new = None
    for address in addresses:
        broker = Broker(settings, address.url)
        try:
            _check(broker, names)
            if len(names) == 1:
                continue
            if is_new is None:
                is_new = _is_new(broker)
            # The only ledger until now has always been open; in a new system, so have all.
            always = is_new or (address is addresses[0] and not _is_noted(broker))
            opened = _EVER if always else keys.now_ms()
            _note(broker, names, opened if address.is_open else 0)
        except BrokerError:
            is_new = bool(is_new)
        finally:
            broker.close()


def opened_ms(broker: Broker) -> int:
    """Since when an open ledger takes chunks, in Unix ms; now, if it is not noted yet.

    Raises:
        BrokerError: it does not answer.
    """
    with broker.reading() as client:
        pipeline = client.pipeline()
        pipeline.hsetnx(keys.LEDGERS, _OPENED, str(keys.now_ms()))
        pipeline.hget(keys.LEDGERS, _OPENED)
        return int(pipeline.execute()[1])


def forget(ledgers: Ledgers, name: str) -> None:
    """Forget a ledger, so that `REDIS_URL` may lack it. Raises BrokerError.

    Raises:
        ValueError: it is the main one, it still takes chunks, or it is not empty; the text is a
            sentence.
    """
    leaving = next((each for each in ledgers.all if each.name == name), None)
    if leaving is None:
        raise ValueError(f"REDIS_URL has no ledger {name}.")
    if leaving is ledgers.all[0]:
        raise ValueError(f"{name} is the main broker: its keys, jobs and settings stay there.")
    if leaving.is_open:
        raise ValueError(f"{name} takes chunks: mark it #closed in REDIS_URL first; {_GUIDE}.")
    if kept := _kept(leaving):
        raise ValueError(f"{name} is not empty: it has {kept}. Wait, or replay or drop these.")
    take_over(leaving, ledgers.all[0])
    for each in ledgers.all:
        with each.broker.reading() as client:
            if each is leaving:
                client.delete(keys.LEDGERS)
            else:
                client.hdel(keys.LEDGERS, name)


def _kept(ledger: Ledger) -> str:
    """A phrase that says what must not be lost with a ledger; empty if nothing."""
    stats = ledger.waiting.stats()
    if stats.waiting_chunks:
        return f"{stats.waiting_chunks:,} waiting chunks"
    if stats.dead_chunks:
        return f"{stats.dead_chunks:,} dead letters"
    with ledger.broker.reading() as client:
        if client.exists(keys.USAGE, keys.USAGE_MOVING, keys.OUTDATED):
            return "counters that beat moves to ClickHouse within a minute"
        # For the request window and the receipt window.
        for kind in (keys.REQUEST, keys.RECEIPT, keys.STORED, keys.DROPPED, keys.SPILLED):
            if next(client.scan_iter(f"{kind}*", count=1000), None) is not None:
                return "receipts, or requests that may be retried, whose time has not passed yet"
    return ""


def _check(broker: Broker, names: list[str]) -> None:
    with broker.reading() as client:
        found = cast("dict[bytes, bytes]", client.hgetall(keys.LEDGERS))
    known = {name.decode(): text.decode() for name, text in found.items()}
    main = known.pop(_MAIN, names[0])
    known.pop(_OPENED, None)
    if missing := sorted(known.keys() - set(names)):
        raise LedgersChangedError(
            f"REDIS_URL lacks the ledger {missing[0]}, which may hold records. Name it too, and "
            f"run `sheaf ledgers forget {missing[0]}` when it is empty; {_GUIDE}"
        )
    if main != names[0]:
        raise LedgersChangedError(
            f"REDIS_URL begins with {names[0]}, but keys, jobs and settings are in {main}: "
            "put that first"
        )


def _is_new(main: Broker) -> bool:
    """Whether nothing was accepted or noted yet."""
    with main.reading() as client:
        return not client.exists(keys.LEDGERS, keys.TOTALS)


def _is_noted(broker: Broker) -> bool:
    with broker.reading() as client:
        return bool(client.exists(keys.LEDGERS))


def _note(broker: Broker, names: list[str], opened: int) -> None:
    """Note all ledgers in one of them; `opened` is 0 if it is closed."""
    with broker.reading() as client:
        pipeline = client.pipeline()
        pipeline.hset(keys.LEDGERS, mapping={_MAIN: names[0], **dict.fromkeys(names, 1)})
        if opened:
            pipeline.hsetnx(keys.LEDGERS, _OPENED, str(opened))
        else:
            pipeline.hdel(keys.LEDGERS, _OPENED)
        pipeline.execute()
