"""The event loop in front of the apps: slow, malformed and too many clients of a real server."""

import itertools
import json
import select
import socket
import threading
import urllib.parse
from contextlib import suppress

import pytest

from config.descriptors import allow_many
from tests.integration.serving.small_server import BIG, FREE, MOST_BODY, THREADS

pytestmark = pytest.mark.integration

HEAD = b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
CHUNKED = b"POST /echo" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def server(start):
    return start()[1]


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def read(connection):
    """All bytes until the server hangs up."""
    pieces = []
    while piece := connection.recv(1 << 16):
        pieces.append(piece)
    return b"".join(pieces)


def ask(port, request):
    """Send bytes; returns the status and the body of the answer."""
    with connect(port) as connection:
        connection.sendall(request)
        head, _, body = read(connection).partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def error(port, request):
    """Send bytes that are refused; returns the status and the reason."""
    status, body = ask(port, request)
    found = json.loads(body)["error"]
    assert found.keys() == {"code", "reason", "fields", "request_id"}
    assert found["code"] == status
    return status, found["reason"]


def hello(port):
    assert ask(port, b"GET /" + HEAD + b"\r\n") == (200, b"hello")


HALVES = {
    "nothing": b"",
    "half a line": b"GET / HT",
    "half a header": b"GET / HTTP/1.1\r\nHost: ",
    "half a body": b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc",
    "half a chunk": b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
    "a large body": b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n"
    + b"a" * 9000,
}


@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES)
def test_requests_that_do_not_end_keep_no_thread(start, half):
    port = start(receive_seconds=600.0)[1]
    slow = [connect(port) for _ in range(20 * THREADS)]
    for each in slow:
        each.sendall(half)
    hello(port)
    for each in slow:
        if half:
            each.sendall(half[:1])
    hello(port)
    for each in slow:
        each.close()


@pytest.mark.parametrize("half", list(HALVES.values())[1:], ids=list(HALVES)[1:])
def test_a_request_that_does_not_arrive_in_time_is_told_so(server, half):
    assert error(server, half) == (408, "The request did not arrive in time.")


def test_who_says_nothing_is_let_go(server):
    with connect(server) as connection:
        assert read(connection) == b""


def test_a_byte_at_a_time_is_not_in_time(server, wait_until):
    def ended(connection):
        """Send a byte; true once the server has answered or hung up."""
        try:
            connection.send(b"a")
        except OSError:
            return True
        connection.setblocking(False)
        try:
            return bool(connection.recv(1000))
        except BlockingIOError:
            return False
        finally:
            connection.setblocking(True)

    with connect(server) as connection:
        connection.sendall(HALVES["half a body"])
        wait_until(lambda: ended(connection), 60, pause=0.2)


@pytest.mark.parametrize("path", [b"/big", b"/stream"])
def test_answers_that_nobody_reads_keep_no_thread(start, path):
    port = start()[1]
    slow = [connect(port) for _ in range(10 * THREADS)]
    for each in slow:
        each.sendall(b"GET " + path + HEAD + b"\r\n")
    hello(port)

    status, body = ask(port, b"GET /big" + HEAD + b"\r\n")
    assert (status, len(body)) == (200, BIG)

    for each in slow:
        each.close()


def test_an_answer_is_whole_however_slowly_it_is_read(server):
    for path in (b"/big", b"/stream"):
        with connect(server) as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            slow.sendall(b"GET " + path + HEAD + b"\r\n")
            hello(server)
            assert len(read(slow)) > BIG


@pytest.mark.parametrize(
    "body",
    [
        # The size of a chunk.
        b"-1\r\nhello\r\n0\r\n\r\n",
        b"zz\r\nhello\r\n0\r\n\r\n",
        b"\r\n\r\n",
        b"+5\r\nhello\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"5_0\r\nhello\r\n",
        b"f" * 20 + b"\r\nhello",
        # The ends of lines, and what follows a size.
        b"5\r\nhelloXX0\r\n\r\n",
        b"5\nhello\n0\n\n",
        b"5;" + b"a" * 9000,
        # The trailer.
        b"5\r\nhello\r\n0\r\nContent-Length: 3\r\n\r\n",
        b"5\r\nhello\r\n0\r\nno field\r\n\r\n",
        b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_a_malformed_chunked_body_is_a_bad_request(server, body):
    assert error(server, CHUNKED + body)[0] == 400


def test_a_chunked_body_arrives_whole_however_it_is_cut(server):
    body = b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nX-More: 1\r\n\r\n"
    assert ask(server, CHUNKED + body) == (200, b"hello world")

    with connect(server) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(CHUNKED + body[:1])
        for number in range(1, len(body)):
            connection.sendall(body[number : number + 1])
        assert read(connection).endswith(b"\r\n\r\nhello world")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: x\n\n", 400),
        (b"GET /\x00" + HEAD + b"\r\n", 400),
        (b"GET /" + HEAD + b"Host: y\r\n\r\n", 400),
        (b"POST /echo" + HEAD + b"Content-Length: -5\r\n\r\nhello", 400),
        (b"POST /echo" + HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
        (
            b"POST /echo"
            + HEAD
            + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"POST /echo" + HEAD + b"Transfer-Encoding: gzip\r\n\r\nhello", 400),
        (b"POST /echo" + HEAD + b"Transfer-Encoding: foo\r\n\r\nhello", 501),
        (b"POST /echo" + HEAD + b"Expect: miracles\r\n\r\n", 417),
        (b"GET /length?q=" + b"a" * 70_000 + HEAD + b"\r\n", 414),
        (b"GET /length?q=" + b"a" * 200_000, 414),
        (b"GET /" + HEAD + b"X: " + b"a" * 9000 + b"\r\n\r\n", 431),
        (b"GET /" + HEAD + b"X: a\r\n" * 150 + b"\r\n", 431),
        (b"GET /" + HEAD + b"X: aaaaaaaaaaaa\r\n" * 15_000, 431),
        (CHUNKED + b"ffffffff\r\nhello", 413),
        (CHUNKED + b"1\r\na\r\n" * 300_000, 413),
    ],
)
def test_what_no_app_sees_is_refused_in_the_shape_of_every_error(server, request_bytes, status):
    assert error(server, request_bytes)[0] == status


def test_a_body_that_ends_too_early_is_a_bad_request(server):
    with connect(server) as connection:
        connection.sendall(HALVES["half a body"])
        connection.shutdown(socket.SHUT_WR)
        assert read(connection).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(("text", "times"), [("\U0001f600" * 4096, 1), ("中" * 460, 3)])
def test_a_long_query_passes_however_it_is_encoded(server, text, times):
    encoded = text
    for _ in range(times):
        encoded = urllib.parse.quote(encoded)
    # The server decodes once.
    length = len(urllib.parse.unquote(encoded))
    request = b"GET /length?q=" + encoded.encode() + HEAD + b"\r\n"
    assert ask(server, request) == (200, str(length).encode())


def test_a_body_that_is_too_large_is_refused_before_it_is_read(server):
    head = b"POST /echo" + HEAD + b"Content-Length: 99999999\r\n"
    assert ask(server, head + b"\r\n")[0] == 413
    assert ask(server, head + b"Expect: 100-continue\r\n\r\n")[0] == 413


def test_who_asks_before_it_sends_a_body_is_told_to_go_on_once(server):
    with connect(server) as connection:
        connection.sendall(
            b"POST /echo" + HEAD + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        )
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"hello")
        assert read(connection).startswith(b"HTTP/1.1 200")


def test_requests_that_come_together_are_answered_in_turn(server):
    first = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    more = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nmore\r\n"
    last = b"GET /" + HEAD + b"\r\n"
    with connect(server) as connection:
        connection.sendall(first + 20 * more + last)
        answers = read(connection)

    assert answers.count(b"HTTP/1.1 200") == 22
    assert answers.count(b"\r\n\r\nmore") == 20
    assert answers.endswith(b"hello")


@pytest.mark.parametrize(("length", "status"), [(b"0" * 30 + b"32", 200), (b"9" * 30, 413)])
def test_a_body_is_no_request_however_its_length_is_written(server, length, status):
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: " + length + b"\r\n\r\n"
    body = b"GET /smuggled HTTP/1.1\r\nX: y\r\n\r\n"
    with connect(server) as connection:
        connection.sendall(head + body)
        connection.shutdown(socket.SHUT_WR)
        answers = read(connection)

    assert answers.startswith(b"HTTP/1.1 %d" % status)
    assert answers.count(b"HTTP/1.1 ") == 1


def test_many_large_bodies_at_once_all_arrive(start):
    port = start(door_threads=2, receive_seconds=30.0)[1]
    body = b"z" * (MOST_BODY - 1)
    half = len(body) // 2
    head = b"POST /size" + HEAD + b"Content-Length: %d\r\n\r\n" % len(body)

    connections = [connect(port) for _ in range(100)]
    for each in connections:
        each.sendall(head + body[:half])
    for each in connections:
        each.sendall(body[half:])

    for each in connections:
        assert read(each).endswith(b"\r\n\r\n%d" % len(body))
        each.close()


def test_large_bodies_that_come_slowly_do_not_keep_others_out(start):
    """They take all the memory for bodies, and are just fast enough not to be ended."""
    port = start(receive_seconds=30.0)[1]
    head = b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % MOST_BODY
    slow = [connect(port) for _ in range(80)]
    stop = threading.Event()

    def drip():
        while not stop.wait(0.3):
            for connection in slow:
                with suppress(OSError):
                    connection.sendall(b"a" * 1500)

    for connection in slow:
        connection.sendall(head)
    thread = threading.Thread(target=drip)
    thread.start()
    try:
        body = b"b" * 100_000
        request = b"POST /size" + HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
        answers = [ask(port, request) for _ in range(3)]
    finally:
        stop.set()
        thread.join()
        for connection in slow:
            connection.close()

    assert answers == [(200, b"100000")] * 3


def test_large_heads_that_do_not_end_are_not_kept_beyond_the_room_for_requests(start):
    allow_many(2000)
    port = start(receive_seconds=300.0)[1]
    head = b"GET / HTTP/1.1\r\n" + b"X-More: aaaaaaaaaaaaaaaaaaaa\r\n" * 3000
    many = [connect(port) for _ in range(900)]
    poll = select.poll()
    for connection in many:
        connection.sendall(head)
        poll.register(connection, select.POLLIN)

    refused = 0
    while refused < 300:
        answered = poll.poll(60_000)
        assert answered
        for descriptor, _ in answered:
            poll.unregister(descriptor)
        refused += len(answered)
    hello(port)

    for connection in many:
        connection.close()


def test_of_too_many_connections_the_oldest_goes(start):
    port = start(http_connections=64, receive_seconds=600.0)[1]
    first = connect(port)
    others = [connect(port) for _ in range(100)]
    assert read(first) == b""

    hello(port)
    for each in [first, *others]:
        each.close()


def test_a_want_of_descriptors_is_said_once_and_passes(start, capfd, wait_until):
    process, port = start(files=400, receive_seconds=600.0)
    crowd = [connect(port) for _ in range(2 * FREE)]
    output = []

    def is_said():
        output.append(capfd.readouterr().err)
        return "cannot accept" in "".join(output)

    wait_until(is_said)
    hello(port)
    for each in crowd:
        each.close()
    hello(port)

    assert process.is_alive()
    output.append(capfd.readouterr().err)
    assert "".join(output).count("cannot accept") == 1


def test_half_requests_do_not_keep_it_from_stopping(start):
    process, port = start(receive_seconds=600.0)
    slow = [connect(port) for _ in range(50)]
    for connection, half in zip(slow, itertools.cycle(HALVES.values()), strict=False):
        connection.sendall(half)
    hello(port)

    process.terminate()
    process.join(15)
    assert process.exitcode == 0

    for each in slow:
        each.close()
