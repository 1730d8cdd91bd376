"""Packets of clickhouse-driver are read, and it reads ours."""

import io

import pytest
from clickhouse_driver.blockstreamprofileinfo import BlockStreamProfileInfo
from clickhouse_driver.clientinfo import ClientInfo
from clickhouse_driver.context import Context
from clickhouse_driver.progress import Progress
from clickhouse_driver.readhelpers import read_exception
from clickhouse_driver.settings.writer import SettingsFlags, write_settings
from clickhouse_driver.varint import write_varint
from clickhouse_driver.writer import write_binary_str

from embedded import packets, wire
from embedded.connection import Result
from embedded.errors import Code, ServerError

REVISIONS = [54058, 54060, 54401, 54412, 54420, 54429, 54441, 54442, 54448, 54449, 54453]


def stream_of(raw):
    pieces = iter([raw])
    return wire.Stream(lambda: next(pieces, b""))


def query_packet(revision, settings, *, traced, kind=ClientInfo.QueryKind.INITIAL_QUERY):
    """What clickhouse-driver sends after the type of a Query packet."""
    context = Context()
    parent = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"
    context.client_settings = {
        "opentelemetry_traceparent": parent if traced else None,
        "opentelemetry_tracestate": "state" if traced else "",
        "quota_key": "key",
    }
    sink = io.BytesIO()
    write_binary_str("the-id", sink)
    info = ClientInfo("tester", context, client_revision=revision)
    info.query_kind = kind
    info.initial_user, info.initial_query_id = "sheaf", "theirs"
    info.write(revision, sink)
    as_strings = revision >= 54429
    write_settings(settings, sink, as_strings, SettingsFlags.IMPORTANT)
    if revision >= 54441:
        write_binary_str("", sink)
    write_varint(2, sink)
    write_varint(1, sink)
    write_binary_str("SELECT 'ä'", sink)
    return sink.getvalue()


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("revision", REVISIONS)
def test_a_query_of_any_revision_is_read_to_its_end(revision, traced):
    settings = {"max_threads": 3, "load_balancing": "random"}
    stream = stream_of(query_packet(revision, settings, traced=traced) + b"\x02")

    query = packets.read_query(stream, revision, lambda name: name == "max_threads")

    assert query.query_id == "the-id"
    assert query.text == "SELECT 'ä'".encode()
    assert query.compressed
    assert query.settings == {"max_threads": "3", "load_balancing": "random"}
    assert (query.stage, query.origin) == (packets.COMPLETE, None)
    assert stream.byte() == 2


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_part_of_another_servers_query_names_that_query(revision):
    kind = ClientInfo.QueryKind.SECONDARY_QUERY
    stream = stream_of(query_packet(revision, {}, traced=True, kind=kind) + b"\x02")

    query = packets.read_query(stream, revision, lambda _: False)

    assert query.origin == packets.Origin("sheaf", "theirs")
    assert stream.byte() == 2


@pytest.mark.parametrize(("revision", "more"), [(54442, 0), (54443, 1), (54453, 2)])
def test_a_query_that_came_to_another_server_over_http_is_read_to_its_end(revision, more):
    head = b"\x02" + b"".join(map(wire.string, ("user", "id", "[::1]:9")))
    start = bytes(8) if revision >= 54449 else b""
    http = b"\x02\x01" + wire.string("curl") + b"".join([wire.string("x")] * more)
    depth = b"\x01" if revision >= 54448 else b""
    traces = b"\x00" + (bytes(3) if revision >= 54453 else b"")
    rest = wire.string("") + wire.string("") + b"\x01\x00" + wire.string("SELECT 1")
    packet = wire.string("") + head + start + http + wire.string("quota") + depth + traces + rest

    query = packets.read_query(stream_of(packet), revision, lambda _: False)

    assert (query.text, query.stage) == (b"SELECT 1", 1)
    assert query.origin == packets.Origin("user", "id")


def test_a_request_for_the_status_of_tables_is_read_and_answered():
    asked = [("default", "logs"), ("other", "nothing")]
    packet = wire.varint(2) + b"".join(wire.string(text) for pair in asked for text in pair)
    assert packets.read_tables_status(stream_of(packet)) == asked

    answer = stream_of(
        packets.tables_status(
            [packets.TableStatus("d", "plain", None), packets.TableStatus("d", "late", 300)]
        )
    )
    assert [answer.varint(), answer.varint()] == [9, 2]
    assert [answer.text(), answer.text(), answer.byte()] == ["d", "plain", 0]
    assert [answer.text(), answer.text(), answer.byte(), answer.varint()] == ["d", "late", 1, 300]


def test_a_request_for_the_status_of_too_many_tables_is_refused():
    with pytest.raises(ServerError, match="status of 10001 tables"):
        packets.read_tables_status(stream_of(wire.varint(10_001)))


def test_a_hello_is_read():
    sink = io.BytesIO()
    write_binary_str("tester", sink)
    for number in (20, 10, 54468):
        write_varint(number, sink)
    for text in ("db", "user", "pässword"):
        write_binary_str(text, sink)

    hello = packets.read_hello(stream_of(sink.getvalue()))

    assert hello == packets.Hello(54468, "db", "user", "pässword")


def test_an_exception_is_read_by_the_driver():
    packet = packets.exception(ServerError(Code.UNKNOWN_DATABASE, "Database x does not exist"))
    stream = stream_of(packet)
    assert stream.byte() == 2

    error = read_exception(stream)
    assert error.code == 81
    assert "Database x does not exist. (UNKNOWN_DATABASE)" in error.message


class ServerInfo:
    def __init__(self, revision):
        self.used_revision = revision


@pytest.mark.parametrize("revision", [54412, 54453])
def test_progress_is_read_by_the_driver(revision):
    packet = packets.progress(Result(b"", 0, 300, 4000, 5, 60), revision)
    stream = stream_of(packet + b"\x09")
    assert stream.byte() == 3

    progress = Progress()
    progress.read(ServerInfo(revision), stream)
    assert (progress.rows, progress.bytes) == (300, 4000)
    assert stream.byte() == 9


def test_old_clients_are_told_nothing_behind_an_insert():
    result = Result(b"", 0, 0, 0, 5, 60)
    assert packets.stored(result, 54412) == b""
    assert packets.stored(result, 54453) == packets.progress(result, 54453)


def test_profile_info_is_read_by_the_driver():
    stream = stream_of(packets.profile_info(1000, 2, 70_000) + b"\x09")
    assert stream.byte() == 6

    info = BlockStreamProfileInfo()
    info.read(stream)
    assert (info.rows, info.blocks, info.bytes) == (1000, 2, 70_000)
    assert stream.byte() == 9


def test_our_hello_tells_revision_version_and_time_zone():
    stream = stream_of(packets.server_hello(54453, "26.9.2.1", "UTC"))
    assert [stream.byte(), stream.text()] == [0, "ClickHouse"]
    assert [stream.varint() for _ in range(3)] == [26, 9, 54453]
    assert [stream.text(), stream.text(), stream.varint()] == ["UTC", "sheaf", 2]
    with pytest.raises(EOFError):
        stream.byte()
