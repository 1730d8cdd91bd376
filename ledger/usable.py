"""Whether Sheaf can work with the broker at all, asked once when a process starts."""

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from config.settings import Settings
from ledger import keys
from ledger.register import LedgersChangedError, register

_TIMEOUT = 2.0
_GUIDE = "docs/operating/rights.md has the rights of Sheaf's user"

_KEYS = (
    keys.LEDGER,
    "sheaf",
    "_kombu.binding.sheaf",
    "unacked",
    "celeryev.flower",
    "worker@host.celery.pidbox",
    "reply.reply.celery.pidbox",
)
"""One key of each kind that Sheaf or Celery has in the broker."""


class BrokerUnusableError(Exception):
    """The broker answers but cannot be used; the text says why and what to do."""


def check_usable(settings: Settings) -> None:
    """Check that no broker is a cluster, and that their users may do what Sheaf does.

    Of several ledgers, note them, and check that none that is known is missing.

    A broker that does not answer is no error: doors store without it, and others wait for it.

    Raises:
        BrokerUnusableError: waiting would not help.
    """
    if settings.embedded_valkey:
        return
    for address in settings.ledger_addresses:
        _check_one(address.url, is_main=address.url == settings.broker_url)
    try:
        register(settings)
    except LedgersChangedError as error:
        raise BrokerUnusableError(str(error)) from None


def _check_one(url: str, *, is_main: bool) -> None:
    client = redis.Redis.from_url(url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT)
    try:
        _check(client, is_main=is_main)
    except AuthenticationError as error:
        raise BrokerUnusableError(f"REDIS_URL: the broker refused us: {error}") from None
    except ResponseError as error:
        # Such as while it loads its files.
        if "NOAUTH" in str(error):
            raise BrokerUnusableError(f"REDIS_URL: the broker refused us: {error}") from None
    except RedisError:
        return
    finally:
        client.close()


def check_usable_or_exit(settings: Settings) -> None:
    """Like :func:`check_usable`, but exits with the message on an error."""
    try:
        check_usable(settings)
    except BrokerUnusableError as error:
        raise SystemExit(str(error)) from None


def _check(client: redis.Redis, *, is_main: bool) -> None:
    with _allowed("the command INFO"):
        mode = client.info("cluster")
    if mode.get("cluster_enabled"):
        raise BrokerUnusableError(
            "REDIS_URL: the broker is a Redis Cluster, which spreads keys that must change "
            "together. Use one server, with a replica if you need a second copy"
        )
    with _allowed("scripts (EVAL)"):
        client.eval("return 1", 0)
    for key in _KEYS if is_main else (keys.LEDGER,):
        with _allowed(f"the key {key}"):
            client.exists(key)
    if not is_main:
        return
    database = client.get_connection_kwargs().get("db", 0)
    with client.pubsub() as subscription:
        for channel in (f"{keys.LIVE}default", f"/{database}.celery.pidbox"):
            with _allowed(f"the channel {channel}"):
                subscription.subscribe(channel)
                subscription.parse_response()
        pattern = f"/{database}.celeryev/*"
        with _allowed(f"the channels {pattern}"):
            subscription.psubscribe(pattern)
            subscription.parse_response()


@contextmanager
def _allowed(what: str) -> Iterator[None]:
    try:
        yield
    except NoPermissionError as error:
        raise BrokerUnusableError(
            f"REDIS_URL: the broker does not allow its user {what}; {_GUIDE} ({error})"
        ) from None
