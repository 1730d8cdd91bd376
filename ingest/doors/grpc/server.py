"""The OTLP/gRPC door: `python -m ingest.doors.grpc.server`."""

from concurrent.futures import ThreadPoolExecutor

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from config import logging, settings
from config.descriptors import allow_many
from config.memory import TRIM_SECONDS, Trimmer
from config.settings import Settings
from config.signals import stop_signals
from ingest.commit.group import Receipt
from ingest.commit.receive import Receiver
from ingest.convert.otlp.request import cut as cut_request
from ingest.convert.piece import Pieces
from ingest.convert.services import SERVICES, Service
from ingest.doors.grpc import siblings
from ingest.doors.grpc.calls import OPTIONS, Call, Calls, Take
from ingest.doors.large import LARGE, LargeRequests
from ingest.status import RefusedError, unavailable
from ingest.tenant import from_headers
from tasks.app import app as celery_app

log = structlog.get_logger(__name__)

GRACE_SECONDS = 15.0

_OTHER_FILES = 256
"""Descriptors besides clients' sockets."""

_THREADS = 4
"""For health checks and reflection."""


def export(service: Service, receiver: Receiver, large: LargeRequests) -> Take:
    """The handler for `Export` of an OTLP service."""

    def take(call: Call, payload: bytes) -> None:
        if len(payload) < LARGE:
            cut(call, payload)
            return
        try:
            receiver.admission.admit(len(payload))
            large.submit(lambda: cut(call, payload))
        except RefusedError as refusal:
            _refuse(call, refusal)

    def cut(call: Call, payload: bytes) -> None:
        try:
            tenant = from_headers(call.metadata)
            receiver.admission.admit(len(payload))
            pieces = cut_request(service, payload, tenant, receiver.settings.max_request_records)
            receiver.submit(pieces, lambda outcome: _settle(service, call, pieces, outcome))
        except RefusedError as refusal:
            _refuse(call, refusal)
        except Exception:
            # Clients drop requests that are answered INTERNAL or UNKNOWN; a retry may succeed.
            log.exception("export: failed", signal=service.signal)
            _refuse(call, unavailable("internal error; try again"))

    return take


def _settle(service: Service, call: Call, pieces: Pieces, outcome: Receipt | RefusedError) -> None:
    if isinstance(outcome, RefusedError):
        _refuse(call, outcome)
        return
    answer = service.answer(pieces.rejected, pieces.reason).SerializeToString()
    call.answer(answer, (("x-sheaf-receipt", str(outcome)),))


def _refuse(call: Call, refusal: RefusedError) -> None:
    details = (("grpc-status-details-bin", refusal.status().SerializeToString()),)
    call.refuse(refusal.answer.grpc_code, refusal.text, details)


def build(
    receiver: Receiver, large: LargeRequests
) -> tuple[grpc.Server, Calls, health.HealthServicer]:
    """The server, bound but not started, its exports and its health service.

    Raises:
        OSError: the port is in use.
    """
    loaded = receiver.settings
    connections = allow_many(loaded.http_connections + _OTHER_FILES) - _OTHER_FILES
    server = grpc.server(
        ThreadPoolExecutor(_THREADS, thread_name_prefix="grpc"),
        options=[
            *OPTIONS,
            ("grpc.max_allowed_incoming_connections", connections),
            ("grpc.max_receive_message_length", loaded.max_request_bytes),
            ("grpc.so_reuseport", int(loaded.door_processes > 1)),
        ],
    )
    exports = {f"/{service.name}/Export": export(service, receiver, large) for service in SERVICES}
    calls = Calls(server, exports)
    alive = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(alive, server)
    names = [service.name for service in SERVICES]
    reflection.enable_server_reflection(
        [*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server
    )
    address = f"{loaded.listen_host}:{loaded.otel_grpc_port}"
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(f"cannot listen on {address} (OTEL_GRPC_PORT): {error}") from error
    return server, calls, alive


def serve(loaded: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then stop accepting, answer open requests, and return.

    Raises:
        SystemExit: the port is not available; the text says so.
    """
    with stop_signals() as stop:
        receiver, large = Receiver(loaded, celery_app), LargeRequests()
        try:
            server, calls, alive = build(receiver, large)
        except OSError as error:
            raise SystemExit(f"gRPC door: {error}") from None
        receiver.start()
        server.start()
        calls.start()
        for name in ("", *(service.name for service in SERVICES)):
            alive.set(name, health_pb2.HealthCheckResponse.SERVING)
        log.info("grpc door: open", port=loaded.otel_grpc_port)
        trimmer = Trimmer()
        while not stop.wait(TRIM_SECONDS):
            trimmer.look()
        alive.enter_graceful_shutdown()
        receiver.admission.stop()
        # Calls cancelled after that are still committed or refused, but their clients do not know.
        server.stop(GRACE_SECONDS).wait(2 * GRACE_SECONDS)
        large.stop()
        receiver.stop()
        calls.close()
        log.info("grpc door: closed")


def main() -> None:
    """Start the door."""
    loaded = settings.load_or_exit()
    logging.configure(loaded)
    raise SystemExit(siblings.run(loaded.door_processes, lambda: serve(loaded)))


if __name__ == "__main__":
    main()
