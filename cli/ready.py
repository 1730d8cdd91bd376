"""Readiness of Sheaf's processes: each probe asks once."""

import http.client
import socket
import ssl
from collections.abc import Callable

import grpc
import redis
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cli.errors import StartError
from cli.ports import LOOPBACK, reachable
from config.settings import Settings
from ledger.usable import BrokerUnusableError, check_usable
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import QueryRefusedError, UnavailableError

Probe = Callable[[], bool]

_TIMEOUT_SECONDS = 2.0


def server_probes(settings: Settings) -> dict[str, Probe]:
    """Probes of ClickHouse and the broker, embedded or not, by their names in the Procfile."""
    return {
        "clickhouse": lambda: clickhouse_answers(settings),
        "valkey": lambda: broker_is_usable(settings),
    }


def process_probes(settings: Settings) -> dict[str, Probe]:
    """Probes of Sheaf's own processes, by their names in the Procfile."""
    host = reachable(settings.listen_host)
    return {
        "grpc": lambda: grpc_serves(settings, f"{host}:{settings.otel_grpc_port}"),
        # Not /ready: with a full disk Sheaf must start too, so that something can be deleted.
        "http": lambda: http_answers(f"{host}:{settings.otel_http_port}", "/health", settings),
        "api": lambda: http_answers(f"{host}:{settings.api_port}", "/health", settings),
        "worker": worker_answers,
        "flower": lambda: port_open(host, settings.flower_port),
    }


def clickhouse_answers(settings: Settings) -> bool:
    """Whether ClickHouse answers a query, and the embedded one its HTTP interface too.

    Raises:
        StartError: it answers but refuses us, so waiting does not help.
    """
    # The driver writes a warning with a traceback for each connection that is refused.
    hosts = settings.clickhouse_hosts
    if not any(port_open(host.name, host.port) for host in hosts):
        return False
    clickhouse = Clickhouse(settings, database="system")
    try:
        clickhouse.ping()
    except UnavailableError:
        return False
    except QueryRefusedError as error:
        raise StartError(
            f"ClickHouse at {', '.join(map(str, hosts))} refused us: {error}"
        ) from None
    finally:
        clickhouse.close()
    embedded_http = f"{LOOPBACK}:{settings.clickhouse_http_port}"
    return not settings.embedded_clickhouse or http_answers(embedded_http, "/ping")


def broker_is_usable(settings: Settings) -> bool:
    """Whether the broker answers; see :func:`ledger.usable.check_usable`.

    Raises:
        StartError: it answers, but Sheaf cannot use it.
    """
    if not broker_answers(settings.broker_url):
        return False
    try:
        check_usable(settings)
    except BrokerUnusableError as error:
        raise StartError(str(error)) from None
    return True


def broker_answers(url: str) -> bool:
    """Whether the broker answers a PING; it does not while it loads its file.

    Raises:
        StartError: it refuses our password.
    """
    client = redis.Redis.from_url(
        url, socket_timeout=_TIMEOUT_SECONDS, socket_connect_timeout=_TIMEOUT_SECONDS
    )
    try:
        return bool(client.ping())
    except redis.AuthenticationError as error:
        raise StartError(f"The broker at REDIS_URL refused us: {error}") from None
    except redis.RedisError:
        return False
    finally:
        client.close()


def grpc_serves(settings: Settings, address: str) -> bool:
    """Whether the gRPC server at `host:port` says SERVING in the standard health protocol.

    With TLS, whether it listens: its certificate may name another host, which gRPC cannot ignore.
    """
    if settings.tls_cert:
        host, _, port = address.rpartition(":")
        return port_open(host, int(port))
    with grpc.insecure_channel(address) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=_TIMEOUT_SECONDS
            )
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def http_answers(address: str, path: str, settings: Settings | None = None) -> bool:
    """Whether the HTTP server at `host:port` answers 200 to a GET of `path`; with TLS if set."""
    connection = _connection(address, settings)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _connection(address: str, settings: Settings | None) -> http.client.HTTPConnection:
    if settings is None or not settings.tls_cert:
        return http.client.HTTPConnection(address, timeout=_TIMEOUT_SECONDS)
    # Sheaf asks itself, and its certificate may name another host than this address.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(address, timeout=_TIMEOUT_SECONDS, context=context)


def port_open(host: str, port: int) -> bool:
    """Whether something listens on the port."""
    try:
        socket.create_connection((host, port), timeout=_TIMEOUT_SECONDS).close()
    except OSError:
        return False
    return True


def worker_answers() -> bool:
    """Whether at least one Celery worker answers a ping."""
    # The app is configured from the environment when it is imported.
    from tasks.app import app  # noqa: PLC0415 - see above

    return bool(app.control.inspect(timeout=_TIMEOUT_SECONDS, limit=1).ping())
