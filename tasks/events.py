"""Sends Celery's task events without losing any with `--pool threads`.

Celery's dispatcher collects task events in a list, publishes the list, and clears it. An event that
a pool thread appends between publishing and clearing is lost, which is when short tasks end. The
list is cleared by an event loop callback, which a pool thread sets without a lock and without
waking the loop. And a task that ends after a reconnect, or while the worker stops, sends its event
to a closed dispatcher.

Here, events wait in a queue that survives reconnects, and one thread publishes them until the
broker accepts them. To fix this in Celery, `EventDispatcher.send` and `flush` should append to and
replace the list under `mutex`, and `Events.start` should forward events from the old dispatcher to
the new one.
"""

import threading
from collections import deque
from typing import Any

import structlog
from celery import Celery
from celery.app.events import Events as CeleryEvents
from celery.events.dispatcher import EventDispatcher
from celery.events.event import Event, get_exchange, group_from
from celery.utils.time import utcoffset
from kombu.messaging import Producer

log = structlog.get_logger(__name__)

_INTERVAL = 0.05
"""Seconds to collect events for a message, which costs the same for one or for many."""

_MOST_WAITING = 50_000
_MOST_IN_MESSAGE = 500
_RETRY_SECONDS = 1.0
_CLOSING_SECONDS = 5.0


class Outbox:
    """A queue of a worker's task events for the broker. Thread-safe."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._events: deque[dict[str, Any]] = deque(maxlen=_MOST_WAITING)
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, event: dict[str, Any]) -> None:
        """Queue an event. If the broker is away for long, only the newest 50,000 are kept."""
        with self._lock:
            self._events.append(event)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="events", daemon=True)
                self._thread.start()
        self._news.set()

    def close(self) -> None:
        """Publish queued events, for at most 5 seconds; later ones are not published."""
        self._closing.set()
        self._news.set()
        with self._lock:
            thread = self._thread
        if thread:
            thread.join(_CLOSING_SECONDS)

    def _run(self) -> None:
        while self._events or not self._closing.is_set():
            try:
                self._publish_all()
            except Exception as error:  # noqa: BLE001 - kombu's, redis', the socket's
                log.warning("events: not sent, broker away", error=str(error))
                if self._closing.wait(_RETRY_SECONDS):
                    return

    def _publish_all(self) -> None:
        """Publish events over one connection until the outbox is closed or an error occurs."""
        with self._app.connection_for_write() as connection:
            exchange = get_exchange(connection, name=self._app.conf.event_exchange)
            producer: Any = Producer(connection, exchange=exchange, auto_declare=False)  # type: ignore[no-untyped-call]
            while self._events or not self._closing.is_set():
                self._news.wait()
                self._news.clear()
                self._closing.wait(_INTERVAL)
                while events := self._first():
                    self._publish(producer, events)
                    self._forget(len(events))

    def _publish(self, producer: Any, events: list[dict[str, Any]]) -> None:  # noqa: ANN401 - kombu's
        producer.publish(
            events,
            routing_key="task.multi",
            declare=[producer.exchange],
            serializer=self._app.conf.event_serializer,
            headers={"hostname": events[0]["hostname"]},
            delivery_mode=1,
            retry=False,
        )

    def _first(self) -> list[dict[str, Any]]:
        with self._lock:
            return [
                self._events[place] for place in range(min(len(self._events), _MOST_IN_MESSAGE))
            ]

    def _forget(self, count: int) -> None:
        with self._lock:
            for _ in range(count):
                self._events.popleft()


class Dispatcher(EventDispatcher):  # type: ignore[misc] # ships no types
    """Celery's dispatcher, but with task events sent through the :class:`Outbox`."""

    def send(self, type: str, blind: bool = False, **fields: Any) -> Any:  # noqa: A002, ANN401, FBT001, FBT002 - as the base's
        """Send an event; a task's event is only queued."""
        group = group_from(type)
        if group not in self.buffer_group:
            return super().send(type, blind, **fields)
        if self.enabled and (not self.groups or group in self.groups):
            clock = self.clock.forward()
            about = {"hostname": self.hostname, "utcoffset": utcoffset(), "pid": self.pid}
            self.app.events.outbox.put(Event(type, clock=clock, **about, **fields))
        return None


class Events(CeleryEvents):  # type: ignore[misc] # ships no types
    """The class of `app.events`."""

    dispatcher_cls = "tasks.events:Dispatcher"

    def __init__(self, app: Celery) -> None:
        super().__init__(app)
        self.outbox = Outbox(app)
