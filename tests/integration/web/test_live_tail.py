"""The live tail, with a real broker, a real writer, and the API's real server."""

import http.client
import json
import multiprocessing
import socket
import struct
import threading
import urllib.error
import urllib.request
from collections import Counter

import pytest
import simple_websocket
from wsproto.frame_protocol import CloseReason

from config.settings import Settings
from ledger.ledger import Ledger
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.insert import Inserter
from tests.integration.conftest import Valkey
from tests.integration.made_logs import entry
from worker.write import Writer

pytestmark = pytest.mark.integration


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def serve(settings, patience):
    """Run the API as `python -m web` does, with given settings."""
    import web.logs.live.routes
    from serving import buffered_socket
    from serving.wsgi import Server
    from web.app import create_app
    from web.logs.live.routes import end_streams

    buffered_socket.PATIENCE = web.logs.live.routes._STALLED_SECONDS = patience
    Server(
        settings,
        settings.api_port,
        lambda: create_app(settings),
        most_body=1 << 20,
        more_threads=settings.live_readers,
        stopping=end_streams,
    ).run()


class Events:
    """A reader of server-sent events, in its own thread."""

    def __init__(self, port, query):
        address = f"http://127.0.0.1:{port}/api/v1/logs/live?{query}"
        self.response = urllib.request.urlopen(address, timeout=60)
        self.events = []
        self.ended = False
        self.was_whole = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        name = ""
        try:
            for line in self.response:
                if line.startswith(b"event: "):
                    name = line[7:].strip().decode()
                elif line.startswith(b"data: "):
                    self.events.append((name, json.loads(line[6:])))
                    name = ""
            self.was_whole = True
        except (OSError, ValueError, http.client.HTTPException):
            pass
        self.ended = True

    @property
    def ready(self):
        return ("ready", {"ready": True}) in self.events

    @property
    def bodies(self):
        return [content["body"] for name, content in self.events if not name]

    @property
    def lost(self):
        return sum(content["lost"] for name, content in self.events if name == "lost")

    def close(self):
        if not self.ended:
            self.response.fp.raw._sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self.response.close()


@pytest.fixture(scope="module")
def broker(tmp_path_factory, free_port, wait_until):
    server = Valkey(tmp_path_factory.mktemp("valkey"), free_port(), wait_until)
    server.start()
    yield server
    server.client.close()
    server.kill()


@pytest.fixture(scope="module")
def settings(engine_settings, broker):
    return Settings(
        redis_url=broker.url,
        clickhouse_port=engine_settings.clickhouse_port,
        clickhouse_http_port=engine_settings.clickhouse_http_port,
        fsync_parts=False,
        listen_host="127.0.0.1",
        door_threads=2,
        live_readers=50,
        live_lines_per_second=50,
        cors_origins="https://there.example",
        log_level="error",
    )


@pytest.fixture(scope="module")
def start_api(settings, free_port, wait_until):
    """Start the API's server with changed settings; returns its process and port."""
    started = []

    def start(patience=30.0, **changes):
        port = free_port()
        made = settings.model_copy(update={"api_port": port, **changes})
        process = multiprocessing.get_context("spawn").Process(target=serve, args=(made, patience))
        process.start()
        started.append(process)
        wait_until(lambda: listens(port), 60)
        return process, port

    yield start
    for process in started:
        process.terminate()
        process.join(30)
        process.kill()


@pytest.fixture(scope="module")
def api(start_api):
    """The port of an API, which notices some seconds later that a reader has gone."""
    return start_api()[1]


@pytest.fixture
def listen(api, wait_until):
    """Start readers, and wait until they are subscribed."""
    opened = []

    def start(query, port=api):
        opened.append(Events(port, query))
        wait_until(lambda: opened[-1].ready)
        return opened[-1]

    yield start
    for each in opened:
        each.close()


@pytest.fixture
def store(settings, broker):
    """Store bodies in a workspace, as a worker does."""
    broker.client.flushall()
    ledger, clickhouse, inserter = Ledger(settings), Clickhouse(settings), Inserter(settings)
    writer = Writer(settings, ledger, clickhouse, inserter)

    def put(workspace, bodies, **about):
        ledger.accept([entry(bodies, workspace=workspace, **about)])
        [outcome] = writer.drain()
        assert not outcome.problem

    yield put
    for each in (inserter, clickhouse, ledger):
        each.close()


def handshake(port, query):
    """A socket on which the handshake of a WebSocket is done."""
    connection = socket.create_connection(("127.0.0.1", port), 60)
    connection.sendall(
        f"GET /ws/live?{query} HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += connection.recv(1)
    assert answer.startswith(b"HTTP/1.1 101")
    return connection


def ends_with(connection, code):
    """Whether the other side ends, with this code."""
    return struct.pack(">H", code) in read_all(connection)


def commands(broker):
    """How often each command was called, 0 for those that never were."""
    stats = broker.client.info("commandstats")
    return Counter({name.removeprefix("cmdstat_"): each["calls"] for name, each in stats.items()})


def test_what_is_stored_in_a_workspace_is_seen_by_its_readers_alone(listen, store, wait_until):
    ours, theirs = listen("workspace_id=live-a"), listen("workspace_id=live-b")
    store("live-b", ["theirs"])
    store("live-a", ["first", "second"])
    wait_until(lambda: len(ours.bodies) == 2)

    assert ours.bodies == ["first", "second"]
    assert theirs.bodies == ["theirs"]

    log = ours.events[-1][1]
    assert (log["workspace_id"], log["service_name"]) == ("live-a", "shop")
    assert log["timestamp"] == "2025-11-21T12:00:00.000000000Z"


@pytest.mark.parametrize("query", ["q=first%20-third", "search=FIRST", "service_name=nobody"])
def test_each_reader_sees_what_its_own_filter_finds(query, listen, store, wait_until):
    everything = listen("workspace_id=live-f")
    some = listen(f"workspace_id=live-f&{query}")
    store("live-f", ["first", "second", "third"])
    store("live-f", ["the last"])
    wait_until(lambda: len(everything.bodies) == 4)
    assert some.bodies == ([] if "nobody" in query else ["first"])


def test_a_reader_above_its_rate_is_told_how_many_lines_it_lost(listen, store, wait_until):
    reader = listen("workspace_id=live-rate")
    store("live-rate", [str(n) for n in range(1000)])
    wait_until(lambda: len(reader.bodies) + reader.lost == 1000)
    assert reader.bodies == [str(n) for n in range(len(reader.bodies))]
    assert 50 <= len(reader.bodies) < 1000


def read_all(connection):
    """All that comes until the other side hangs up."""
    received = b""
    while piece := connection.recv(1000):
        received += piece
    return received


def test_a_reader_that_does_not_read_holds_up_nobody(start_api, store, listen, wait_until):
    _, port = start_api(live_lines_per_second=10_000)
    stuck = socket.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stuck.connect(("127.0.0.1", port))
    stuck.sendall(b"GET /api/v1/logs/live?workspace_id=live-slow HTTP/1.1\r\nHost: x\r\n\r\n")
    assert stuck.recv(12) == b"HTTP/1.1 200"

    reader = listen("workspace_id=live-slow", port)
    wide = "x" * 10_000
    for number in range(10):
        store("live-slow", [f"{number} {n} {wide}" for n in range(200)])
    wait_until(lambda: len(reader.bodies) + reader.lost == 2000)

    received = bytearray()
    stuck.settimeout(60)
    while b"event: lost" not in received[-3_000_000:]:
        received += stuck.recv(1_000_000)
    stuck.close()


def test_nothing_is_published_for_a_workspace_that_nobody_watches(
    listen, store, broker, wait_until
):
    reader = listen("workspace_id=live-watched")
    before = commands(broker)

    def calls(name):
        return commands(broker)[name] - before[name]

    for number in range(3):
        store("live-unwatched", [str(number)])
    wait_until(lambda: calls("pubsub|numsub") == 3)
    assert calls("publish") == 0

    store("live-watched", ["seen"])
    wait_until(lambda: reader.bodies == ["seen"])
    assert calls("publish") == 1


def test_readers_are_limited_and_leave_room_for_queries_and_for_the_next(
    start_api, listen, store, wait_until
):
    _, port = start_api(live_readers=3)
    readers = [listen("workspace_id=live-many", port) for _ in range(3)]
    with pytest.raises(urllib.error.HTTPError) as refused:
        Events(port, "workspace_id=live-many")
    assert refused.value.code == 503
    assert refused.value.headers["Retry-After"] == "5"
    assert "LIVE_READERS" in json.load(refused.value)["error"]["reason"]

    refused.value.close()
    for _ in range(4):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=30) as health:
            assert health.status == 200

    readers[0].close()

    def admitted():
        store("live-many", ["makes the API notice who has gone"])
        try:
            return listen("workspace_id=live-many", port)
        except urllib.error.HTTPError as error:
            error.close()
            return None

    wait_until(admitted, 60)


def test_a_hundred_readers_read_at_once(start_api, store, wait_until):
    _, port = start_api(live_readers=100)
    query = "workspace_id=live-hundred"
    readers = [Events(port, query) for _ in range(100)]
    wait_until(lambda: all(reader.ready for reader in readers))
    store("live-hundred", ["to all"])
    wait_until(lambda: all(reader.bodies == ["to all"] for reader in readers))
    for reader in readers:
        reader.close()


def test_a_socket_gets_the_same_and_says_what_it_cannot_take(api, store):
    address = f"ws://127.0.0.1:{api}/ws/live?workspace_id=live-ws"
    client = simple_websocket.Client(f"{address}&q=one")

    def receive():
        return json.loads(client.receive(timeout=20))

    assert receive() == {"ready": True}

    store("live-ws", ["one", "two"])
    assert receive()["body"] == "one"

    store("live-ws", [f"one {n}" for n in range(1000)])
    lines = 0
    message = receive()
    while "lost" not in message:
        lines += 1
        message = receive()
    assert lines + message["lost"] == 1000

    client.close()


def frame(opcode, payload, *, last):
    """A client's frame, masked with zeros."""
    first = opcode | 0x80 if last else opcode
    length = bytes([0x80 | 126]) + struct.pack(">H", len(payload))
    mask = bytes(4)
    return bytes([first]) + length + mask + payload


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("opcode", [1, 2])
def test_a_socket_takes_no_more_than_a_little_from_its_client(api, opcode, last):
    payload = b"x" * 60_000
    with handshake(api, "workspace_id=live-frames") as connection:
        connection.sendall(frame(opcode, payload, last=last))
        if last:
            connection.sendall(frame(opcode, payload, last=True))
            assert connection.recv(1) != b""
        else:
            # A continuation of the same message, which is too long together.
            connection.sendall(frame(0, payload, last=False))
            assert ends_with(connection, 1009)


def test_a_socket_answers_pings_and_a_close(api):
    normal = struct.pack(">H", 1000)
    with handshake(api, "workspace_id=live-ping") as connection:
        connection.sendall(b"\x89\x84" + bytes(4) + b"ping")
        connection.sendall(b"\x88\x82" + bytes(4) + normal)
        received = read_all(connection)

    assert b"\x8a\x04ping" in received
    assert received.endswith(b"\x88\x02" + normal)


def test_a_socket_refuses_what_is_no_frame(api):
    with handshake(api, "workspace_id=live-nonsense") as connection:
        connection.sendall(b"\xff" * 100)
        assert ends_with(connection, 1002)


@pytest.mark.parametrize("kind", ["events", "socket"])
def test_readers_that_never_read_give_their_places_up(start_api, store, wait_until, kind):
    _, port = start_api(patience=2.0, live_readers=4, live_lines_per_second=10_000)
    workspace = f"live-never-{kind}"
    query = f"workspace_id={workspace}"
    connect = handshake if kind == "socket" else open_stream
    stuck = [connect(port, query) for _ in range(4)]

    def admitted():
        store(workspace, [f"{n} {'x' * 2000}" for n in range(200)])
        try:
            return Events(port, query)
        except urllib.error.HTTPError as error:
            error.close()
            return None

    wait_until(admitted, 60).close()
    for connection in stuck:
        connection.close()


def open_stream(port, query):
    """A connection to the server-sent events, of which only the status is read."""
    connection = socket.create_connection(("127.0.0.1", port), 60)
    connection.sendall(f"GET /api/v1/logs/live?{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert connection.recv(12) == b"HTTP/1.1 200"
    return connection


@pytest.mark.parametrize(
    ("query", "origin", "status"),
    [
        ("q=%28", "", 422),
        ("end_time_ms=1", "", 422),
        ("workspace_id=a%20b", "", 422),
        ("", "https://elsewhere.example", 403),
        ("", "null", 403),
        ("", "https://there.example", 101),
        ("", "http://here", 101),
        ("", "http://here:81", 403),
        ("", "", 101),
    ],
)
def test_a_socket_opens_only_for_right_parameters_and_known_origins(api, query, origin, status):
    lines = [
        f"GET /ws/live?{query} HTTP/1.1",
        "Host: here",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==",
        "Sec-WebSocket-Version: 13",
    ]
    if origin:
        lines.append(f"Origin: {origin}")

    with socket.create_connection(("127.0.0.1", api), 30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        assert connection.recv(4096).split()[1] == str(status).encode()


def test_readers_do_not_keep_the_api_from_stopping(start_api, wait_until):
    process, port = start_api()
    reader = Events(port, "workspace_id=live-stop")
    client = simple_websocket.Client(f"ws://127.0.0.1:{port}/ws/live?workspace_id=live-stop")
    assert json.loads(client.receive(timeout=20)) == {"ready": True}

    wait_until(lambda: reader.ready)
    process.terminate()
    wait_until(lambda: reader.ended)
    assert reader.was_whole

    process.join(30)
    assert process.exitcode == 0
    assert json.loads(client.receive(timeout=20)) == {"reconnect": True}
    with pytest.raises(simple_websocket.ConnectionClosed) as closed:
        client.receive(timeout=20)
    assert closed.value.reason == CloseReason.SERVICE_RESTART

    reader.close()


def test_a_broker_that_goes_away_and_comes_back_is_told_as_a_gap(
    start_api, store, broker, wait_until
):
    _, port = start_api()
    reader = Events(port, "workspace_id=live-gap")
    wait_until(lambda: reader.ready)

    for connection in broker.client.client_list(_type="pubsub"):
        broker.client.client_kill_filter(_id=connection["id"])
    wait_until(lambda: ("lost", {"lost": None}) in reader.events)

    def subscribed():
        [(_, subscribers)] = broker.client.pubsub_numsub("sheaf:live:live-gap")
        return subscribers == 1

    wait_until(subscribed)
    store("live-gap", ["after"])
    wait_until(lambda: reader.bodies == ["after"])
    reader.close()
