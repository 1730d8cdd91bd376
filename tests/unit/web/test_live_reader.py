import pytest

from config.settings import Settings
from ledger.live import LiveRows
from storage.query.logs.search import LogFilters
from web.logs.live.hub import (
    BUFFER,
    LiveHub,
    Reader,
    Taken,
    TooManyReadersError,
    _Channels,
    distribute,
)

ALL = LogFilters(workspace_id="acme")


def row(number):
    texts = ("client_id", "severity_text", "service_name", "service_version", "endpoint")
    texts += ("trace_id", "span_id", "scope_name")
    return {
        "timestamp_ns": number,
        "chunk_id": 1,
        "chunk_row": number,
        "workspace_id": "acme",
        "severity_number": 9,
        "body": f"line {number}",
        "resource_attributes": {},
        "log_attributes": {},
        **dict.fromkeys(texts, ""),
    }


def test_a_reader_takes_what_was_offered_once_and_in_order():
    reader = Reader(ALL, 100)
    reader.offer(["a", "b"])
    reader.offer(["c"])
    assert reader.take(0) == Taken(("a", "b", "c"), 0)
    assert reader.take(0) == Taken((), 0)


def test_what_the_buffer_has_no_room_for_is_counted():
    reader = Reader(ALL, 10_000)
    reader.offer(["x"] * (BUFFER + 7))
    reader.offer(["y"], 2)

    # Seven lines too many, the eighth, and two that the worker left out.
    taken = reader.take(0)
    assert (len(taken.lines), taken.lost) == (BUFFER, 10)

    reader.offer(["z"])
    assert reader.take(0) == Taken(("z",), 0)


def test_what_goes_beyond_the_rate_is_counted():
    reader = Reader(ALL, 5)
    reader.offer(["x"] * 20)
    taken = reader.take(0)
    assert (len(taken.lines), taken.lost) == (5, 15)


def test_after_an_interruption_nobody_knows_how_many_are_lost():
    reader = Reader(ALL, 5)
    reader.interrupt()
    reader.offer(["x"], 3)
    assert reader.take(0) == Taken(("x",), None)
    assert reader.take(0) == Taken((), 0)


def test_each_reader_gets_what_its_filters_find_and_what_the_worker_left_out():
    some = LogFilters(workspace_id="acme", search="line 1")
    of_all, of_some, of_same = Reader(ALL, 99), Reader(some, 99), Reader(some, 99)

    distribute(LiveRows([row(1), row(2)], 4), [of_all, of_some, of_same])

    everything, found, same = of_all.take(0), of_some.take(0), of_same.take(0)
    assert (len(everything.lines), everything.lost) == (2, 4)
    assert (len(found.lines), found.lost) == (1, 4)
    assert (len(same.lines), same.lost) == (1, 4)
    assert '"body":"line 1"' in found.lines[0]


def test_a_message_that_is_published_twice_is_passed_on_once():
    channels = _Channels(None)
    # A channel, a publisher, the message's number, and whether the message is new.
    messages = [
        ("a", "one", 1, True),
        ("a", "one", 2, True),
        ("a", "one", 2, False),
        ("a", "one", 1, False),
        ("b", "one", 2, True),
        ("a", "two", 1, True),
        ("a", "", 0, True),
        ("a", "", 0, True),
    ]

    for channel, publisher, number, is_new in messages:
        rows = LiveRows([], 1, publisher, number)
        assert channels.is_new(channel, rows) == is_new


def test_a_reader_is_refused_when_there_are_enough_and_its_place_is_given_to_the_next():
    hub = LiveHub(Settings(live_readers=1, redis_url="redis://127.0.0.1:1/0"))
    reader = hub.admit(ALL)

    with pytest.raises(TooManyReadersError):
        hub.admit(ALL)

    hub.dismiss(reader)
    hub.dismiss(reader)
    hub.dismiss(hub.admit(ALL))
    hub.stop()
