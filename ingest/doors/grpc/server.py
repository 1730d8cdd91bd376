"""The OTLP/gRPC door: `python -m ingest.doors.grpc.server`."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from config import logging, settings
from config.certificates import CertificateError, CertificateFiles
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
from ingest.doors.grpc.certificates import credentials
from ingest.doors.large import LARGE, LargeRequests
from ingest.status import RefusedError, unavailable
from ingest.tenant import Sender
from ledger.usable import check_usable_or_exit
from tasks.app import app as celery_app

log = structlog.get_logger(__name__)

GRACE_SECONDS = 15.0

_MESSAGE_SECONDS = 1.0
"""How long a stopping door waits for the messages of calls that have begun."""

_LOOK_SECONDS = 0.05

_OTHER_FILES = 256
"""Descriptors besides clients' sockets."""

_THREADS = 4
"""For health checks and reflection."""


def export(service: Service, receiver: Receiver, large: LargeRequests) -> Take:
    """The handler for `Export` of an OTLP service."""

    def take(call: Call, payload: bytes) -> None:
        sender = None
        try:
            sender = receiver.sender(call.metadata)
            receiver.check_limits(sender)
            receiver.admission.admit(len(payload))
            if len(payload) >= LARGE:
                large.submit(lambda: cut(call, payload, sender))
                return
        except RefusedError as refusal:
            refuse(call, refusal, sender, len(payload))
            return
        cut(call, payload, sender)

    def cut(call: Call, payload: bytes, sender: Sender) -> None:
        size = len(payload)
        try:
            pieces = cut_request(service, payload, sender, receiver.settings.max_request_records)
            receiver.submit(pieces, lambda outcome: settle(call, pieces, sender, size, outcome))
        except RefusedError as refusal:
            refuse(call, refusal, sender, size)
        except Exception:
            # Clients drop requests that are answered INTERNAL or UNKNOWN; a retry may succeed.
            log.exception("export: failed", signal=service.signal)
            refuse(call, unavailable("internal error; try again"), sender, size)

    def settle(
        call: Call, pieces: Pieces, sender: Sender, size: int, outcome: Receipt | RefusedError
    ) -> None:
        if isinstance(outcome, RefusedError):
            refuse(call, outcome, sender, size, pieces.records + pieces.rejected)
            return
        receiver.accepted(service.signal, sender, pieces.rejected)
        answer = service.answer(pieces.rejected, pieces.reason).SerializeToString()
        call.answer(answer, (("x-sheaf-receipt", str(outcome)),))

    def refuse(
        call: Call, refusal: RefusedError, sender: Sender | None, size: int, records: int = 0
    ) -> None:
        receiver.refused(service.signal, sender, refusal, records, size)
        details = (("grpc-status-details-bin", refusal.status().SerializeToString()),)
        call.refuse(refusal.answer.grpc_code, refusal.text, details)

    return take


class KeyRequired(grpc.ServerInterceptor):  # type: ignore[misc] # gRPC ships no types
    """Refuses calls of reflection without a key; health checks need none."""

    def __init__(self, receiver: Receiver) -> None:
        """Ask `receiver` who sends a call."""
        self._receiver = receiver

    def intercept_service(self, continuation: Any, details: Any) -> Any:  # noqa: ANN401 - gRPC's
        """The handler of a call, or one that refuses it."""
        if details.method.startswith(f"/{health.SERVICE_NAME}/"):
            return continuation(details)
        try:
            self._receiver.principal(dict(details.invocation_metadata))
        except RefusedError as refusal:
            return _refusing(refusal)
        return continuation(details)


def _refusing(refusal: RefusedError) -> grpc.RpcMethodHandler:
    def refuse(_requests: object, context: grpc.ServicerContext) -> None:
        context.abort(refusal.answer.grpc_code, refusal.text)

    return grpc.stream_stream_rpc_method_handler(refuse)


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
        interceptors=[KeyRequired(receiver)],
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
    # Before the first call: who watches would be told once more that it serves.
    for name in ("", *names):
        alive.set(name, health_pb2.HealthCheckResponse.SERVING)
    reflection.enable_server_reflection(
        [*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server
    )
    address = f"{loaded.listen_host}:{loaded.otel_grpc_port}"
    try:
        if loaded.tls_cert:
            server.add_secure_port(address, credentials(CertificateFiles(loaded)))
        else:
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
        except (OSError, CertificateError) as error:
            raise SystemExit(f"gRPC door: {error}") from None
        receiver.start()
        server.start()
        calls.start()
        log.info("grpc door: open", port=loaded.otel_grpc_port)
        trimmer = Trimmer()
        while not stop.wait(TRIM_SECONDS):
            trimmer.look()
        alive.enter_graceful_shutdown()
        time.sleep(loaded.drain_seconds)
        receiver.admission.stop()
        _end(server, calls)
        large.stop()
        receiver.stop()
        calls.close()
        log.info("grpc door: closed")


def _end(server: grpc.Server, calls: Calls) -> None:
    """Take no more calls, answer those that are open, and end streams, which have no end."""
    # Its clients are told to connect elsewhere. Calls cancelled after that are still committed or
    # refused, but their clients do not know.
    ended = server.stop(GRACE_SECONDS)
    until = time.monotonic() + GRACE_SECONDS
    patience = time.monotonic() + _MESSAGE_SECONDS
    while not ended.wait(_LOOK_SECONDS) and time.monotonic() < until:
        if time.monotonic() > patience:
            calls.refuse_begun("the door is stopping; send it again")
        if not calls.open:
            # Health and reflection only.
            break
    server.stop(None).wait(GRACE_SECONDS)


def main() -> None:
    """Start the door."""
    loaded = settings.load_or_exit()
    logging.configure(loaded)
    check_usable_or_exit(loaded)
    raise SystemExit(siblings.run(loaded.door_processes, lambda: serve(loaded)))


if __name__ == "__main__":
    main()
