"""Seeded load of OpenTelemetry clients, which repeat a request until it is acknowledged."""

import random
import threading
import time
from dataclasses import dataclass, field

import grpc
from google.rpc import error_details_pb2, status_pb2

from tests.chaos.signals import LOGS, Signal

_RETRYABLE = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
}

POISON = "refused by the database"
"""ClickHouse refuses a severity that begins like this, with the fixture `constraint`."""

_DAY = 86_400 * 10**9
_CHANNEL = [
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 250),
    ("grpc.max_send_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),
]


@dataclass
class Request:
    """One export request and what became of it."""

    payload: bytes
    records: dict
    """Body to (workspace, client, attributes): what must be in the table if it is acknowledged."""
    poisoned: bool = False
    timeless: bool = False
    """Its records carry no time, so each time it is sent may count as a new event."""
    acknowledged: float = 0.0
    """When it was first acknowledged, in Unix seconds; 0 if it was not."""
    receipt: str = ""
    receipts: set = field(default_factory=set)
    """All receipts that it was answered with."""
    answers: int = 0
    sends: int = 0


@dataclass
class Shape:
    """What requests look like."""

    signal: Signal = LOGS
    records: int = 50
    padding: int = 100
    """Random bytes of each record, so that compression gains little."""
    timeless: float = 0.1
    """Share of requests with records that carry no time."""
    days: int = 3
    """Days that a request's records spread over."""
    poison: float = 0.0
    """Share of requests with one record whose severity text begins with `poison_text`."""
    poison_text: str = ""
    zeros: int = 0
    """Further bytes of each record that compress to nothing."""


def build(rng, name, tenant, number, shape):
    """Request `number` of a tenant; no two records have the same body."""
    workspace, client = tenant
    request = shape.signal.request()
    resource, scope = shape.signal.open_scope(request)
    for key, value in (("workspace_id", workspace), ("client_id", client)):
        resource.attributes.add(key=key).value.string_value = value
    timeless = rng.random() < shape.timeless
    poisoned = rng.random() < shape.poison
    now = time.time_ns()

    records = {}
    for row in range(shape.records):
        body = f"{name} {workspace} {client} {number} {row}"
        attributes = {"row": str(row), "padding": rng.randbytes(shape.padding // 2).hex()}
        if shape.zeros:
            attributes["zeros"] = "0" * shape.zeros
        at = now - rng.randrange(shape.days) * _DAY - rng.randrange(10**9)

        record = shape.signal.add(scope, body, 0 if timeless else at)
        if poisoned and row == 0:
            record.severity_text = shape.poison_text
        for key, value in attributes.items():
            record.attributes.add(key=key).value.string_value = value
        records[body] = (workspace, client, attributes)
    return Request(request.SerializeToString(), records, poisoned, timeless)


class Sender(threading.Thread):
    """A client that sends one request after the other, each until it is acknowledged.

    Args:
        port: Port of the gRPC door.
        signal: The signal of the requests.
        requests: An iterable of requests; it may build them one by one.
        give_up: An event; once it is set, nothing is sent any more.
        deadline: Seconds that the client waits for an answer.
        pause: Seconds between two requests.
        patience: Seconds after which the client gives up a request and sends the next.
        twice: Send each acknowledged request once more, like a client that lost the answer.
    """

    def __init__(
        self,
        port,
        signal,
        requests,
        give_up,
        *,
        deadline=2.0,
        pause=0.0,
        patience=600.0,
        twice=False,
    ):
        super().__init__(daemon=True)
        self._port = port
        self._signal = signal
        self._requests = requests
        self._give_up = give_up
        self._deadline = deadline
        self._pause = pause
        self._patience = patience
        self._twice = twice
        self.sent = []
        self.unexpected = []
        self.seconds = []
        """How long each acknowledged call took."""
        self.pushed_back = 0

    def run(self):
        with grpc.insecure_channel(f"127.0.0.1:{self._port}", _CHANNEL) as channel:
            export = channel.unary_unary(self._signal.export)
            for request in self._requests:
                if self._give_up.is_set():
                    return
                self.sent.append(request)
                self._send(export, request)
                if self._twice:
                    self._send(export, request)
                time.sleep(self._pause)

    def _send(self, export, request):
        end = time.monotonic() + self._patience
        while not self._give_up.is_set() and time.monotonic() < end:
            began = time.monotonic()
            request.sends += 1
            try:
                _, call = export.with_call(request.payload, timeout=self._deadline)
            except grpc.RpcError as error:
                wait = self._retry_after(error)
                if wait is None:
                    return
                self._give_up.wait(wait)
            else:
                self.seconds.append(time.monotonic() - began)
                metadata = dict(call.trailing_metadata())
                self.acknowledge(request, metadata.get("x-sheaf-receipt", request.receipt))
                return

    @staticmethod
    def acknowledge(request, receipt):
        """Note that a request was answered OK."""
        request.answers += 1
        request.acknowledged = request.acknowledged or time.time()
        request.receipt = receipt
        request.receipts.add(receipt)

    def _retry_after(self, error):
        """Seconds until the next attempt, None if OTLP says to drop the request.

        A server that closes cancels calls that no handler has taken yet.
        """
        code = error.code()
        if code in _RETRYABLE:
            return 0.1
        if code is grpc.StatusCode.RESOURCE_EXHAUSTED and _has_retry_info(error):
            self.pushed_back += 1
            return 0.2
        self.unexpected.append((code, error.details()))
        return None


def _has_retry_info(error):
    details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
    status = status_pb2.Status.FromString(details)
    return any(detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for detail in status.details)


class Load:
    """The senders of several tenants."""

    def __init__(self, rng, name, port, shape=None, tenants=4):
        self.name = name
        self._rng = rng
        self._port = port
        self._shape = shape or Shape()
        self.signal = self._shape.signal
        self._give_up = threading.Event()
        self._stopping = threading.Event()
        self.tenants = [(f"ws-{name}-{n % 2}", f"client-{n}") for n in range(tenants)]
        self._senders = []

    def start(self, most=10**9, **options):
        """Send up to `most` requests per tenant, until :meth:`finish`; `options` are Sender's."""
        for tenant in self.tenants:
            requests = self._make(tenant, most)
            self._senders.append(
                Sender(self._port, self.signal, requests, self._give_up, **options)
            )
        for sender in self._senders:
            sender.start()

    def send(self, requests, port=None, **options):
        """Send these from one more client; with a `port`, to another door."""
        sender = Sender(port or self._port, self.signal, requests, self._give_up, **options)
        self._senders.append(sender)
        sender.start()

    def make(self, tenant, number):
        """Build a request of a tenant, as :meth:`start` sends them."""
        return build(self._rng, self.name, tenant, number, self._shape)

    def _make(self, tenant, most):
        rng = random.Random(self._rng.random())
        for number in range(most):
            if self._stopping.is_set():
                return
            yield build(rng, self.name, tenant, number, self._shape)

    def finish(self, seconds=30.0):
        """Begin no further request, wait for the last ones, and give up after `seconds`."""
        self._stopping.set()
        self.join(seconds)

    def join(self, seconds):
        """Wait until all requests are acknowledged, or give up after `seconds`."""
        deadline = time.monotonic() + seconds
        for sender in self._senders:
            sender.join(max(0.1, deadline - time.monotonic()))
        self._give_up.set()
        for sender in self._senders:
            sender.join(30)

    def send_again(self, seconds=10.0):
        """Send all requests once more, unchanged, from one more client."""
        give_up = threading.Event()
        sender = Sender(self._port, self.signal, self.requests, give_up)
        sender.start()
        sender.join(seconds)
        give_up.set()
        sender.join(30)

    def repeat_answered(self, port):
        """Send all answered requests once more, to the door at `port`; gives how many."""
        answered = [request for request in self.requests if request.acknowledged]
        sender = Sender(port, self.signal, answered, threading.Event())
        sender.start()
        sender.join(60)
        assert not sender.is_alive(), "the door does not answer"
        return len(answered)

    @property
    def requests(self):
        return [request for sender in self._senders for request in list(sender.sent)]

    @property
    def acknowledged(self):
        return sum(1 for request in self.requests if request.acknowledged)

    @property
    def pushed_back(self):
        """Number of answers that asked to retry later."""
        return sum(sender.pushed_back for sender in self._senders)

    def percentile(self, share):
        """Seconds within which that share of the acknowledged calls was answered."""
        seconds = []
        for sender in self._senders:
            seconds += sender.seconds
        seconds.sort()
        place = min(len(seconds) - 1, int(share * len(seconds)))
        return seconds[place]

    @property
    def unexpected(self):
        return [answer for sender in self._senders for answer in sender.unexpected]
