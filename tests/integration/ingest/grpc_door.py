"""The gRPC door within this process."""

import grpc
from celery import Celery

from ingest.commit.receive import Receiver
from ingest.convert.services import LOGS
from ingest.doors.grpc.server import build
from ingest.doors.large import LargeRequests
from tests.integration.made_logs import payload

EXPORT = f"/{LOGS.name}/Export"


class GrpcDoor:
    """The gRPC door, and a channel to it."""

    def __init__(self, settings, credentials=None):
        """Open the door; with `credentials`, the channel speaks TLS."""
        self.large = LargeRequests()
        self.receiver = Receiver(settings, Celery("door", broker=settings.broker_url))
        self._server, self._calls, self.health = build(self.receiver, self.large)
        self.receiver.start()
        self._server.start()
        self._calls.start()
        self.address = f"127.0.0.1:{settings.otel_grpc_port}"
        self.channel = self.connect(credentials)

    def connect(self, credentials=None):
        """Open another channel."""
        if credentials is None:
            return grpc.insecure_channel(self.address)
        return grpc.secure_channel(self.address, credentials)

    def send(self, body):
        """Send one record; returns the call."""
        export = self.channel.unary_unary(EXPORT)
        return export.future(payload([body]), timeout=60, wait_for_ready=True)

    def stop(self):
        self.channel.close()
        self._server.stop(10).wait(30)
        self.large.stop()
        self.receiver.stop()
        self._calls.close()
