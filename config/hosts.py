"""Reads lists of hosts, such as that of `CLICKHOUSE_HOST`."""

import re
from dataclasses import dataclass

_HOST = re.compile(
    r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\s:\[\],/]+)"
    r"(?::(?P<port>\d{1,5})(?::(?P<http_port>\d{1,5}))?)?"
)
_PORTS = range(1, 65536)


@dataclass(frozen=True, slots=True)
class Host:
    """Where one ClickHouse server listens."""

    name: str
    """Host name or address; an IPv6 address without brackets."""
    port: int
    """Port of the native protocol."""
    http_port: int

    @property
    def url(self) -> str:
        """`host:port` of its HTTP port, as in a URL."""
        name = f"[{self.name}]" if ":" in self.name else self.name
        return f"{name}:{self.http_port}"

    def __str__(self) -> str:
        return f"{self.name}:{self.port}"


def read_hosts(text: str, port: int, http_port: int) -> tuple[Host, ...]:
    """The hosts of a comma-separated list of `host`, `host:port` or `host:port:http_port`.

    Args:
        text: the list; IPv6 addresses are in brackets.
        port: port of the native protocol of those without one.
        http_port: HTTP port of those without one.

    Raises:
        ValueError: an entry is malformed, or appears twice; the text is a sentence.
    """
    hosts = []
    for entry in filter(None, map(str.strip, text.split(","))):
        found = _HOST.fullmatch(entry)
        ports = (int(found["port"] or port), int(found["http_port"] or http_port)) if found else ()
        if not found or not all(each in _PORTS for each in ports):
            raise ValueError(
                f"{entry!r} is not a host: write host, host:port or host:port:http_port, "
                "with commas between hosts"
            )
        hosts.append(Host(found["host"].strip("[]"), *ports))
    if len(set(hosts)) < len(hosts):
        raise ValueError("it names a host twice")
    return tuple(hosts)
