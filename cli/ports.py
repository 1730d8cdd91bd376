"""The ports that Sheaf listens on, and whether they are free."""

import socket
from dataclasses import dataclass

from cli.errors import StartError
from config.settings import Settings

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class ListeningProcess:
    """A port that a process of Sheaf will listen on, and the setting that changes it."""

    service: str
    setting: str
    host: str
    port: int


def listeners(settings: Settings) -> list[ListeningProcess]:
    """Every port that these settings open, without those of external servers."""
    outside = settings.listen_host
    ports = [
        ListeningProcess("the OTLP/gRPC door", "OTEL_GRPC_PORT", outside, settings.otel_grpc_port),
        ListeningProcess("the OTLP/HTTP door", "OTEL_HTTP_PORT", outside, settings.otel_http_port),
        ListeningProcess("the API", "API_PORT", outside, settings.api_port),
        ListeningProcess("Flower", "FLOWER_PORT", outside, settings.flower_port),
    ]
    if settings.embedded_clickhouse:
        native, http = settings.clickhouse_port, settings.clickhouse_http_port
        ports += [
            ListeningProcess("ClickHouse's native protocol", "CLICKHOUSE_PORT", LOOPBACK, native),
            ListeningProcess("ClickHouse's HTTP interface", "CLICKHOUSE_HTTP_PORT", LOOPBACK, http),
        ]
    if settings.embedded_valkey:
        ports.append(ListeningProcess("Valkey", "VALKEY_PORT", LOOPBACK, settings.valkey_port))
    return ports


def check_free(settings: Settings) -> None:
    """Try each port once.

    Raises:
        StartError: a sentence for each port that is taken, or has an address of another machine.
    """
    problems = [sentence for listener in listeners(settings) if (sentence := _problem(listener))]
    if problems:
        raise StartError("\n".join(problems))


def _problem(listener: ListeningProcess) -> str:
    try:
        address = socket.getaddrinfo(
            listener.host, listener.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(address[0], socket.SOCK_STREAM) as probe:
            # As servers do, so that connections in TIME_WAIT do not count as taken.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address[4])
    except OSError as error:
        return (
            f"Port {listener.port}, for {listener.service}, is not free on {listener.host} "
            f"({error.strerror}): stop what uses it, or set {listener.setting} to another port."
        )
    return ""


def reachable(listen_host: str) -> str:
    """The host under which this machine reaches a server that listens on `listen_host`."""
    if listen_host in {"", "0.0.0.0", "::"}:  # noqa: S104 - compared, not listened on
        return LOOPBACK
    return f"[{listen_host}]" if ":" in listen_host else listen_host
