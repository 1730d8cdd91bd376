"""Which addresses of brokers Sheaf takes."""

import re
from typing import NamedTuple
from urllib.parse import urlsplit

SCHEMES = ("redis", "rediss")

_INSTEAD = "such as redis://user:password@host:6379/0, or rediss:// with TLS"
_CLOSED = "#closed"
_CLOSING = "#closing"
# Passwords may have commas.
_BETWEEN = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")
_PORT = 6379


class LedgerAddress(NamedTuple):
    """Where a ledger is."""

    url: str
    """For the client library."""
    name: str
    """`host:port/database`: what stays the same when the user, password or scheme change."""
    is_open: bool = True
    """Whether doors put chunks into it."""
    is_closing: bool = False
    """Whether it is about to be closed: some doors may already put its chunks elsewhere."""


def check_broker_url(url: str) -> None:
    """Check `REDIS_URL`, without its passwords in the message.

    Raises:
        ValueError: Sheaf cannot use brokers at such addresses.
    """
    read_addresses(url)


def read_addresses(urls: str) -> tuple[LedgerAddress, ...]:
    """The addresses of a list, with commas or spaces between them.

    Raises:
        ValueError: one is malformed or appears twice, or all are closed.
    """
    found = tuple(_address(each) for each in apart(urls))
    names = [each.name for each in found]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"REDIS_URL names {name} twice")
    if found and not any(each.is_open and not each.is_closing for each in found):
        raise ValueError(f"REDIS_URL: every address is marked {_CLOSED}; one must have no mark")
    return found


def apart(urls: str) -> list[str]:
    """The addresses of a list as they are written."""
    return [each for each in _BETWEEN.split(urls.strip()) if each]


def _address(text: str) -> LedgerAddress:
    url, mark = text, ""
    for each in (_CLOSED, _CLOSING):
        if text.endswith(each):
            url, mark = text.removesuffix(each), each
    scheme, separator, rest = url.partition("://")
    if scheme == "sentinel":
        raise ValueError(
            "REDIS_URL: sentinel:// is not supported. Give the address of the primary, or of a "
            "proxy that leads to it (docs/operating/proxies.md)"
        )
    if not separator or scheme not in SCHEMES:
        raise ValueError(f"REDIS_URL must be the address of one server, or several, {_INSTEAD}")
    if ";" in rest or "," in rest.rpartition("@")[2]:
        raise ValueError(
            f"REDIS_URL: each address must name one server, {_INSTEAD}, with commas between them"
        )
    return LedgerAddress(url, _name(url), mark != _CLOSED, mark == _CLOSING)


def _name(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "localhost", parts.port or _PORT
    except ValueError:
        raise ValueError(f"REDIS_URL must be the address of one server, {_INSTEAD}") from None
    if ":" in host:
        host = f"[{host}]"
    return f"{host}:{port}/{parts.path.strip('/') or 0}"
