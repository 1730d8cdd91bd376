"""The OTLP/gRPC door: `python -m ingest.grpc_server`."""

import asyncio
import signal
from collections import deque
from collections.abc import Awaitable, Callable

import grpc
import structlog
import uvloop
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from config import logging, settings
from config.settings import Settings
from ingest import siblings
from ingest.group import Receipt, Settle
from ingest.otlp import SERVICES, Service
from ingest.receive import Receiver
from ingest.status import RefusedError, unavailable
from ingest.tenant import from_headers
from tasks.app import app as celery_app

log = structlog.get_logger(__name__)

GRACE_SECONDS = 15.0

Export = Callable[[bytes, grpc.aio.ServicerContext], Awaitable[bytes]]


class Answers:
    """Brings the binder's outcomes into the event loop, with one wake-up for all of a commit."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Settle futures of `loop`."""
        self._loop = loop
        self._settled: deque[tuple[asyncio.Future[Receipt], Receipt | RefusedError]] = deque()
        self._woken = False

    def expect(self) -> tuple["asyncio.Future[Receipt]", Settle]:
        """A future, and what settles it from another thread."""
        future: asyncio.Future[Receipt] = self._loop.create_future()
        return future, lambda outcome: self._settle(future, outcome)

    def _settle(self, future: "asyncio.Future[Receipt]", outcome: Receipt | RefusedError) -> None:
        self._settled.append((future, outcome))
        if not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        # Lowered first: what is appended from now on wakes the loop again.
        self._woken = False
        while self._settled:
            future, outcome = self._settled.popleft()
            if future.done():
                continue
            if isinstance(outcome, RefusedError):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)


def export(service: Service, receiver: Receiver, answers: Answers) -> Export:
    """`Export` of one OTLP service, from bytes to bytes."""

    async def handle(payload: bytes, context: grpc.aio.ServicerContext) -> bytes:
        try:
            tenant = from_headers(dict(context.invocation_metadata()))
            committed, settle = answers.expect()
            pieces = receiver.receive(service, payload, tenant, settle)
            receipt = await committed
        except RefusedError as refusal:
            return await _refuse(context, refusal)
        except asyncio.CancelledError:
            raise
        except Exception:
            # Clients drop what is answered INTERNAL or UNKNOWN, and the fault may pass.
            log.exception("export: failed", signal=service.signal)
            return await _refuse(context, unavailable("an internal fault; try again"))
        context.set_trailing_metadata((("x-sheaf-receipt", str(receipt)),))
        return service.answer(pieces.rejected, pieces.reason).SerializeToString()

    return handle


async def _refuse(context: grpc.aio.ServicerContext, refusal: RefusedError) -> bytes:
    details = (("grpc-status-details-bin", refusal.status().SerializeToString()),)
    await context.abort(refusal.answer.grpc_code, refusal.text, details)
    raise AssertionError  # abort raises


def build(
    receiver: Receiver, answers: Answers
) -> tuple[grpc.aio.Server, health.aio.HealthServicer]:
    """The server, on its port and not yet started, and its health service.

    Raises:
        OSError: the port is taken.
    """
    loaded = receiver.settings
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", loaded.max_request_bytes),
            ("grpc.so_reuseport", int(loaded.door_processes > 1)),
        ]
    )
    for service in SERVICES:
        method = grpc.unary_unary_rpc_method_handler(export(service, receiver, answers))
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service.name, {"Export": method}),)
        )
    alive = health.aio.HealthServicer()
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
    return server, alive


async def serve(loaded: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then stop accepting, answer what is held, and end."""
    receiver = Receiver(loaded, celery_app)
    loop = asyncio.get_running_loop()
    server, alive = build(receiver, Answers(loop))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    receiver.start()
    await server.start()
    for name in ("", *(service.name for service in SERVICES)):
        await alive.set(name, health_pb2.HealthCheckResponse.SERVING)
    log.info("grpc door: open", port=loaded.otel_grpc_port)
    await stop.wait()
    await alive.enter_graceful_shutdown()
    receiver.admission.stop()
    await server.stop(GRACE_SECONDS)
    await asyncio.to_thread(receiver.stop)
    log.info("grpc door: closed")


def main() -> None:
    """Boot: settings, log, door."""
    loaded = settings.load_or_exit()
    logging.configure(loaded)
    raise SystemExit(siblings.run(loaded.door_processes, lambda: uvloop.run(serve(loaded))))


if __name__ == "__main__":
    main()
