import itertools
import threading
import time
from collections import Counter
from contextlib import ExitStack

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker
from celery.events.event import Event
from kombu.asynchronous import set_event_loop

from tasks.batches import RowBatches
from tasks.hints import Hint

pytestmark = pytest.mark.integration

POOLS = ["threads", "solo"]

_queues = itertools.count()


def _is_hint(value):
    return isinstance(value, dict) and isinstance(value.get("records"), int)


class Bench:
    """A Celery app with its tasks, and what they were given."""

    def __init__(self, url, **options):
        self.app = Celery("bench", broker=url, events="tasks.events:Events")
        self.app.conf.update(
            task_default_queue=f"bench-{next(_queues)}",
            task_ignore_result=True,
            worker_prefetch_multiplier=0,
            worker_hijack_root_logger=False,
            worker_send_task_events=True,
            worker_cancel_long_running_tasks_on_connection_loss=True,
            broker_connection_retry_on_startup=True,
            broker_connection_max_retries=None,
        )
        self.batches = []
        self.looks = 0
        self.app.task(base=RowBatches, name="bench.store", shared=False, **options)(self._run)
        self.ran = itertools.count()
        self.begun, self.goes_on = threading.Event(), threading.Event()
        self.goes_on.set()
        self.app.task(name="bench.quick", shared=False)(self._quick)

    def _run(self, hints):
        if not hints:
            self.looks += 1
            return "nothing to do"
        contents = [hint for hint, *_ in filter(None, hints)]
        records = [content["records"] for content in contents if _is_hint(content)]
        self.batches.append(records)
        if 666 in records:
            raise ValueError("a poisoned batch")
        return f"{sum(records)} rows"

    def _quick(self):
        self.begun.set()
        assert self.goes_on.wait(30)
        return next(self.ran)

    @property
    def seen(self):
        """All records of all batches."""
        return [records for batch in self.batches for records in batch]

    def send(self, *records):
        for each in records:
            self.app.send_task("bench.store", args=[{"records": each}])


@pytest.fixture
def bench(valkey):
    """Start a worker."""
    with ExitStack() as stack:

        def start(pool="threads", **options):
            never = {"flush_every": 1_000_000, "calm_interval": 3600}
            made = Bench(valkey.url, **{**never, **options})
            stack.callback(made.app.close)
            # Else the next worker in this process would use the ended event loop.
            stack.callback(set_event_loop, None)
            stack.enter_context(
                start_worker(
                    made.app,
                    pool=pool,
                    concurrency=2,
                    perform_ping_check=False,
                    shutdown_timeout=30,
                    loglevel="WARNING",
                )
            )
            return made

        yield start


@pytest.fixture
def watch():
    """Collect an app's events, in a thread, until the test ends."""
    with ExitStack() as stack:

        def start(app):
            seen, ready = [], threading.Event()
            connection = app.connection_for_read()
            receiver = app.events.Receiver(connection, handlers={"*": seen.append})
            receiver.on_consume_ready = lambda *_, **__: ready.set()
            thread = threading.Thread(target=receiver.capture, kwargs={"wakeup": False})
            thread.start()

            def stop():
                receiver.should_stop = True
                thread.join()
                connection.release()

            stack.callback(stop)
            assert ready.wait(10)
            return seen

        yield start


def events_of(seen, kind):
    return [event for event in list(seen) if event["type"] == kind]


@pytest.mark.parametrize("pool", POOLS)
def test_hints_are_flushed_as_soon_as_they_stand_for_enough_rows(bench, wait_until, pool):
    made = bench(pool, flush_rows=100, flush_interval=3600)
    made.send(40, 50)
    made.send(9)
    assert made.batches == []

    made.send(1)
    wait_until(lambda: made.batches == [[40, 50, 9, 1]])
    made.send(100)
    wait_until(lambda: made.batches == [[40, 50, 9, 1], [100]])


@pytest.mark.parametrize("pool", POOLS)
def test_hints_are_flushed_when_the_time_is_over_again_and_again(bench, wait_until, pool):
    made = bench(pool, flush_interval=0.1)

    def wait_for(*records):
        wait_until(lambda: made.seen == list(records))

    made.send(1)
    wait_for(1)
    made.send(2)
    wait_for(1, 2)
    made.send(3)
    wait_for(1, 2, 3)


@pytest.mark.parametrize("pool", POOLS)
def test_hints_are_flushed_when_no_more_come_but_not_each_of_a_trickle(bench, wait_until, pool):
    made = bench(pool, flush_rows=100, flush_interval=3600, calm_interval=0.02)
    task = made.app.tasks["bench.store"]
    made.send(1)
    wait_until(lambda: made.seen == [1])

    # One that follows a flush waits for others, for longer than the interval.
    made.send(2)
    wait_until(lambda: task._buffer.qsize() == 1)
    end = time.monotonic() + 5 * task.calm_interval
    wait_until(lambda: time.monotonic() > end)

    made.send(100)
    wait_until(lambda: made.batches == [[1], [2, 100]])


def test_it_runs_without_a_hint_when_it_connects_and_then_every_while(bench, wait_until):
    made = bench(look_interval=0.1)
    wait_until(lambda: made.looks >= 3)
    assert made.batches == []


@pytest.mark.parametrize("pool", POOLS)
def test_after_the_connection_was_dropped_hints_are_flushed_by_time_and_by_rows(
    bench, wait_until, valkey, pool
):
    made = bench(pool, flush_rows=100, flush_interval=0.2)

    def wait_for(records):
        wait_until(lambda: records in made.seen)

    def drop_connections():
        looks = made.looks
        valkey.client.client_kill_filter(_type="normal", skipme=True)
        wait_until(lambda: made.looks > looks)

    made.send(1)
    wait_until(lambda: made.seen == [1])
    for turn in range(2, 4):
        drop_connections()
        made.send(turn)
        wait_for(turn)
        made.send(100 + turn)
        wait_for(100 + turn)


def test_hints_that_were_collected_when_the_connection_dropped_are_flushed(
    bench, wait_until, valkey
):
    made = bench(flush_interval=3600)
    made.send(1, 2, 3)
    task = made.app.tasks["bench.store"]
    wait_until(lambda: task._buffer.qsize() == 3)
    valkey.client.client_kill_filter(_type="normal", skipme=True)
    wait_until(lambda: made.seen == [1, 2, 3])


@pytest.mark.parametrize("pool", POOLS)
def test_every_hint_is_told_as_received_started_and_succeeded_or_failed(
    bench, watch, wait_until, pool
):
    made = bench(pool, flush_interval=0.1)
    seen = watch(made.app)
    made.send(5)
    wait_until(lambda: events_of(seen, "task-succeeded"))
    made.send(666)
    wait_until(lambda: events_of(seen, "task-failed"))

    [succeeded] = events_of(seen, "task-succeeded")
    [failed] = events_of(seen, "task-failed")
    assert succeeded["result"] == "5 rows"
    assert "a poisoned batch" in failed["exception"]

    both = {succeeded["uuid"], failed["uuid"]}
    for kind in ("task-received", "task-started"):
        assert {event["uuid"] for event in events_of(seen, kind)} == both
    assert {event["name"] for event in events_of(seen, "task-received")} == {"bench.store"}


def test_a_body_that_raises_and_a_message_that_is_no_hint_do_not_stop_the_worker(bench, wait_until):
    made = bench(flush_interval=0.1)
    made.send(666)
    for odd in ([], [None], ["text"], [{"records": "many"}], [{"records": [1]}], [{}]):
        made.app.send_task("bench.store", args=odd)
    wait_until(lambda: 666 in made.seen)
    made.send(7)
    wait_until(lambda: 7 in made.seen)


def test_a_hint_is_acknowledged_before_the_work(bench, wait_until, valkey):
    made = bench(flush_interval=0.1)
    made.send(1, 2, 3)
    wait_until(lambda: sorted(made.seen) == [1, 2, 3])
    wait_until(lambda: not valkey.client.exists("unacked"))


def event_counts(seen):
    """How many events of each kind came for tasks."""
    return Counter(event["type"] for event in list(seen) if event["type"].startswith("task-"))


@pytest.mark.parametrize("pool", POOLS)
def test_what_is_told_of_many_short_tasks_agrees_with_what_ran(bench, watch, wait_until, pool):
    made = bench(pool, flush_interval=0.05)
    seen = watch(made.app)

    def wait_for_received(count):
        wait_until(lambda: event_counts(seen)["task-received"] == count)

    for number in range(150):
        made.app.send_task("bench.quick")
        made.send(number + 1000)
        if number % 10 == 0:
            wait_for_received(2 * (number + 1))

    kinds = ("task-received", "task-started", "task-succeeded")
    wait_until(lambda: event_counts(seen) == dict.fromkeys(kinds, 300))
    assert len(made.seen) == next(made.ran) == 150

    state = made.app.events.State()
    for event in seen:
        state.event(dict(event))
    assert Counter(task.state for task in state.tasks.values()) == {"SUCCESS": 300}


def test_a_task_that_ends_after_the_connection_was_renewed_is_told_as_ended(
    bench, watch, wait_until, valkey
):
    made = bench(flush_interval=3600, flush_rows=1)
    made.goes_on.clear()
    seen = watch(made.app)
    made.app.send_task("bench.quick")

    assert made.begun.wait(30)

    looks = made.looks
    valkey.client.client_kill_filter(_type="normal", skipme=True)
    wait_until(lambda: made.looks > looks)
    # The watcher's connection broke as well: it may have missed events.
    again = watch(made.app)
    made.goes_on.set()
    wait_until(lambda: events_of(again, "task-succeeded") or events_of(seen, "task-succeeded"))


def test_what_the_last_tasks_tell_is_sent_before_the_worker_ends(bench, watch, wait_until):
    made = bench()
    seen = watch(made.app)
    outbox = made.app.events.outbox
    for number in range(1200):
        outbox.put(Event("task-succeeded", uuid=str(number), hostname="h", clock=number))
    outbox.close()
    wait_until(lambda: len(events_of(seen, "task-succeeded")) == 1200)

    ids = [event["uuid"] for event in events_of(seen, "task-succeeded")]
    assert ids == [str(number) for number in range(1200)]


def test_events_wait_while_the_broker_is_away(valkey, proxy, watch, wait_until):
    gate = proxy(valkey.port)
    app = Celery("away", broker=f"redis://127.0.0.1:{gate.port}/0", events="tasks.events:Events")
    seen = watch(Celery("away", broker=valkey.url))
    outbox = app.events.outbox

    gate.break_all("refuse")
    outbox.put(Event("task-started", uuid="1", hostname="h", clock=1))
    wait_until(lambda: gate.hits)
    outbox.put(Event("task-succeeded", uuid="1", hostname="h", clock=2))

    gate.heal()
    wait_until(lambda: event_counts(seen) == {"task-started": 1, "task-succeeded": 1})

    outbox.close()
    app.close()


def test_a_hint_shows_what_it_stands_for(bench, watch, wait_until):
    made = bench(flush_interval=0.05)
    seen = watch(made.app)
    made.app.tasks["bench.store"].apply_async(
        args=[{"records": 5000}], argsrepr=str(Hint("logs", 3, 5000, 70_000, "id")), kwargsrepr=""
    )
    [received] = wait_until(lambda: events_of(seen, "task-received"))

    assert received["args"] == "5,000 logs in 3 chunks, 70,000 bytes"

    wait_until(lambda: events_of(seen, "task-succeeded"))
