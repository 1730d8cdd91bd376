"""What workers publish for the live tail, over a real broker."""

import pytest

from ledger.live import MOST_BYTES, LivePublisher, pack, unpack
from storage import decode
from storage.query.logs.search import LogFilters
from tests.integration.made_logs import NOON, entry
from web.logs.live.hub import LiveHub

pytestmark = pytest.mark.integration


def tables(*bodies, workspace="acme"):
    """What a batch of these log records is decoded into."""
    chunk = entry(bodies, workspace=workspace).chunk
    return decode.decode("logs", [chunk.rows()])


def watch(valkey, *workspaces):
    """Subscribe to these workspaces."""
    subscription = valkey.client.pubsub()
    for workspace in workspaces:
        subscription.subscribe(f"sheaf:live:{workspace}")
        assert subscription.get_message(timeout=10)["type"] == "subscribe"
    return subscription


def test_a_message_holds_the_rows_with_their_keys():
    content = unpack(pack(tables("a", "é")["otel_logs"]))
    assert content.lost == 0
    assert [row["body"] for row in content.rows] == ["a", "é"]
    assert content.rows[1]["timestamp_ns"] == NOON
    assert content.rows[1]["resource_attributes"] == {"service.name": "shop"}
    assert content.rows[1]["log_attributes"] == {}


def test_rows_that_do_not_fit_into_a_message_are_counted():
    wide = "x" * (MOST_BYTES // 10)
    content = unpack(pack(tables(*[wide] * 30)["otel_logs"], left_out=5))
    assert 5 <= len(content.rows) <= 10
    assert len(content.rows) + content.lost == 30 + 5


def test_only_watched_workspaces_are_published_and_each_in_its_own_channel(valkey, settings):
    publisher = LivePublisher(settings)
    chunks = [entry([f"of {name}"], workspace=name).chunk.rows() for name in ("a", "b", "c")]

    with watch(valkey, "a", "c") as subscription:
        publisher.offer(decode.decode("logs", chunks))
        found = {}
        for _ in range(2):
            message = subscription.get_message(timeout=10)
            rows = unpack(message["data"]).rows
            found[message["channel"]] = [row["body"] for row in rows]

        assert found == {b"sheaf:live:a": ["of a"], b"sheaf:live:c": ["of c"]}
        assert valkey.client.info("commandstats")["cmdstat_publish"]["calls"] >= 2


def test_batches_that_a_slow_broker_keeps_waiting_are_left_out_and_counted(
    valkey, proxy, make_settings, wait_until
):
    gate = proxy(valkey.port)
    slow = make_settings(redis_url=f"redis://127.0.0.1:{gate.port}/0")
    publisher = LivePublisher(slow)
    gate.delay = 0.3

    with watch(valkey, "acme") as subscription:
        for number in range(30):
            publisher.offer(tables(str(number)))
        wait_until(lambda: not publisher._waiting.qsize())
        publisher.offer(tables("last"))

        seen, lost = [], 0
        while "last" not in seen:
            message = unpack(subscription.get_message(timeout=10)["data"])
            seen += [row["body"] for row in message.rows]
            lost += message.lost

        assert lost > 0
        assert len(seen) + lost == 31


def test_a_broker_that_is_away_costs_a_batch_nothing(settings, free_port):
    away = settings.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}/0"})
    publisher = LivePublisher(away)
    for number in range(20):
        publisher.offer(tables(str(number)))
    publisher.offer({})

    assert publisher._thread.is_alive()

    publisher.close()


def next_message(subscription, wait_until):
    """The next message of a publisher, unpacked."""
    message = wait_until(lambda: subscription.get_message(timeout=1))
    return unpack(message["data"])


def test_what_was_left_out_of_a_workspace_is_told_without_rows_of_it(valkey, settings, wait_until):
    publisher = LivePublisher(settings)
    with watch(valkey, "a", "b") as subscription:
        publisher.skip(tables("1", "2", workspace="a"))
        message = next_message(subscription, wait_until)
        assert (message.rows, message.lost) == ([], 2)

        publisher.skip(tables("3", workspace="a"))
        publisher.offer(tables("4", workspace="b"))
        messages = [next_message(subscription, wait_until) for _ in range(2)]
        assert sorted((len(each.rows), each.lost) for each in messages) == [(0, 1), (1, 0)]


def test_through_a_stall_of_the_broker_every_record_is_shown_or_counted_once(
    valkey, proxy, make_settings, wait_until
):
    gate = proxy(valkey.port)
    publisher = LivePublisher(
        make_settings(redis_url=f"redis://127.0.0.1:{gate.port}/0", broker_timeout=0.2)
    )

    with watch(valkey, "acme", "other") as subscription:
        publisher.offer(tables("first"))
        rows_by_message = {next_message(subscription, wait_until).number: 1}
        lost = 0

        gate.break_all("swallow")
        publisher.offer(tables("of another", workspace="other"))
        wait_until(lambda: gate.hits > 2)
        for number in range(9):
            publisher.offer(tables(str(number)))
        gate.heal()

        # A message that was sent again has the number of the first attempt.
        while sum(rows_by_message.values()) + lost < 11:
            message = next_message(subscription, wait_until)
            if message.number not in rows_by_message:
                rows_by_message[message.number] = len(message.rows)
                lost += message.lost

        assert lost > 0
        assert sum(rows_by_message.values()) + lost == 11


def test_what_waits_is_published_before_the_worker_ends(valkey, settings, wait_until):
    publisher = LivePublisher(settings)
    with watch(valkey, "acme") as subscription:
        publisher.offer(tables("a"))
        publisher.offer(tables("b"))
        publisher.skip(tables("c"))
        publisher.close()
        assert not publisher._thread.is_alive()

        records = 0
        while records < 3:
            message = next_message(subscription, wait_until)
            records += len(message.rows) + message.lost


def test_what_is_stored_until_a_broken_subscription_stands_again_is_told_as_unknown(
    valkey, settings, wait_until
):
    hub = LiveHub(settings)
    reader = hub.admit(LogFilters(workspace_id="acme"))
    wait_until(reader.is_subscribed.is_set)
    valkey.client.client_kill_filter(_type="pubsub", skipme=True)

    assert wait_until(lambda: reader.take(1).lost is None)

    valkey.client.publish("sheaf:live:acme", pack(tables("missed")["otel_logs"]))
    assert wait_until(lambda: reader.take(1).lost is None)

    publisher = LivePublisher(settings)
    publisher.offer(tables("seen"))
    wait_until(lambda: reader.take(1).lines)
    publisher.close()
    hub.stop()
