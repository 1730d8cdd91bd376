"""The Batches task with fixes: it flushes by rows, survives reconnects, and appears in Flower."""

import threading
import time
from collections.abc import Callable, Collection
from itertools import count
from typing import Any

import structlog
from celery import Celery
from celery.worker import state
from celery.worker.consumer import Consumer
from celery.worker.request import Request
from celery_batches import Batches

from tasks import hints as announce

log = structlog.get_logger(__name__)


class RowBatches(Batches):
    """Collects hints until they stand for `flush_rows` rows, or `flush_interval` has passed.

    It differs from celery-batches' task:

    - It counts rows; the base counts messages.
    - It sets its timers again after a reconnect; the base's flush timer is lost.
    - It sends events and counts tasks, so Flower shows them.
    - It acknowledges hints at once, because they carry no work.
    - It also runs without a hint, on connect and every `look_interval`: a broker with full memory
      accepts no hints, and only storing chunks frees memory.
    - It flushes early if no hint arrives for `calm_interval`, at most once per `flush_interval`, so
      that a trickle of hints does not cause a trickle of inserts.
    """

    abstract = True
    flush_rows = 100_000
    flush_interval = 0.5
    look_interval = 10.0
    calm_interval = 1.5 * announce.INTERVAL

    def __init__(self) -> None:
        super().__init__()
        self._tref: Any = None
        self._rows = 0
        self._calm_tref: Any = None
        self._last_hint = 0.0
        self._next_calm_flush = 0.0

    def Strategy(self, task: Batches, app: Celery, consumer: Consumer) -> Callable[..., None]:  # noqa: N802 - the base's name
        """On each (re)connection: reset the timers and flush what is buffered."""
        for timer in filter(None, (self._tref, self._calm_tref)):
            timer.cancel()
        self._tref = self._calm_tref = None
        self._count = count(1)
        receive = super().Strategy(task, app, consumer)
        if not self._buffer.empty():
            self._do_flush()
        self.look()
        consumer.timer.call_repeatedly(self.look_interval, self.look)

        def on_hint(message: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - kombu's
            receive(message, *args, **kwargs)
            self._rows += _rows(message)
            if self._rows >= self.flush_rows:
                self._do_flush()
            self._last_hint = time.monotonic()
            if self._calm_tref is None:
                self._await_calm(consumer, self.calm_interval)

        return on_hint

    def _await_calm(self, consumer: Consumer, seconds: float) -> None:
        self._calm_tref = consumer.timer.call_after(seconds, self._flush_if_calm, (consumer,))

    def _flush_if_calm(self, consumer: Consumer) -> None:
        self._calm_tref = None
        if self._buffer.empty():
            return
        now = time.monotonic()
        due = max(self._last_hint + self.calm_interval, self._next_calm_flush)
        if now < due:
            self._await_calm(consumer, due - now)
            return
        self._next_calm_flush = now + self.flush_interval
        self._do_flush()

    def _do_flush(self) -> None:
        self._rows = 0
        super()._do_flush()

    def look(self) -> None:
        """Run the task once without hints."""
        self.flush([])

    def flush(self, requests: Collection[Request]) -> Any:  # noqa: ANN401 - the pool's result
        """Pass the hints to the pool as one batch, and send events for each."""
        started = time.monotonic()
        for request in requests:
            request.acknowledge()
            about = {"args": request.argsrepr or str(request.args), "kwargs": request.kwargsrepr}
            _send_event(request, "task-received", name=request.name, **about)

        def on_accepted(_pid: int, _time_accepted: float) -> None:
            for request in requests:
                state.task_accepted(request)
                _send_event(request, "task-started")

        def on_return(result: tuple[bool, str]) -> None:
            done, text = result
            for request in requests:
                state.task_ready(request)
                if done:
                    runtime = time.monotonic() - started
                    _send_event(request, "task-succeeded", result=text, runtime=runtime)
                else:
                    _send_event(request, "task-failed", exception=text, traceback="")

        arguments = (self, [request.args for request in requests])
        return self._pool.apply_async(
            _run, arguments, accept_callback=on_accepted, callback=on_return
        )


def _run(task: RowBatches, hints: list[tuple[Any, ...]]) -> tuple[bool, str]:
    """Run the task in the pool; returns whether it succeeded, and its result or error."""
    try:
        return True, str(task.run(hints))
    except Exception as error:
        log.exception("batch: failed", thread=threading.current_thread().name)
        return False, repr(error)


def _send_event(request: Request, event: str, **fields: Any) -> None:  # noqa: ANN401 - as Celery's
    """Send a task event; a failure must not keep rows from being stored."""
    try:
        request.send_event(event, **fields)
    except Exception as error:  # noqa: BLE001 - see above
        log.warning("event: not sent", kind=event, error=str(error))


def _rows(message: Any) -> int:  # noqa: ANN401 - kombu's
    """The number of records that a hint stands for; 0 if the message is not a hint."""
    try:
        return int(message.payload[0][0]["records"])
    except (LookupError, TypeError, ValueError):
        return 0
