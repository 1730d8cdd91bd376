"""Rolling restarts behind nginx and HAProxy, with the configurations of deploy/."""

import json
import socket
import urllib.error
import urllib.request

import grpc
import pytest

from tests.chaos.behind_proxies import PROXIES, RESTARTED, BehindProxies, LoadOfAll, Reader
from tests.chaos.load import Shape
from tests.chaos.signals import LOGS
from tests.e2e.doors import request

pytestmark = pytest.mark.chaos

STORES = ("valkey", "clickhouse")


@pytest.fixture(scope="module")
def behind(tmp_path_factory, free_port, wait_until, require):
    programs = {name: require(name) for name in PROXIES}
    folder = tmp_path_factory.mktemp("behind")
    # A reader's query may take its time while processes start.
    system = BehindProxies(folder, free_port, wait_until, programs, QUERY_MAX_SECONDS="60")
    try:
        system.start()
        yield system
    finally:
        system.stop()


@pytest.fixture
def begun(behind, scenario_on):
    """A scenario with a load through every proxy."""
    behind.heal()
    scenario = scenario_on(behind)
    scenario.load = LoadOfAll(scenario.rng, scenario.name, behind, Shape(records=20))
    scenario.load.start(deadline=10.0, pause=0.2)
    return scenario


def test_behind_proxies_every_process_restarts_and_no_client_notices(begun, behind, long_run):
    workspaces = sorted({workspace for workspace, _ in begun.load.tenants})
    readers = [Reader(behind.ports[proxy, "api"], workspaces) for proxy in PROXIES]
    for reader in readers:
        reader.start()

    slowest = 0.0
    for name in restarts(begun.rng, 10 if long_run else 0):
        code, seconds = behind.restart(name)
        assert code == 0, behind.processes[name].log
        slowest = max(slowest, seconds)
        begun.wait_for_answers(8)
        answered = [reader.answered for reader in readers]
        begun.wait_until(lambda: all(map(_read_more, readers, answered)))  # noqa: B023

    for reader in readers:
        reader.finish()
    begun.load.finish()
    begun.report(f"{sum(reader.answered for reader in readers)} reads, slowest end {slowest:.1f} s")
    assert [reader.refused for reader in readers] == [[], []]
    begun.check()


def restarts(rng, rounds):
    """Every process so many times, in any order; for 0 rounds one of each kind, once."""
    if not rounds:
        return rng.sample([rng.choice(kind) for kind in RESTARTED], len(RESTARTED))
    names = [name for kind in RESTARTED for name in kind]
    return [name for _ in range(rounds) for name in rng.sample(names, len(names))]


def _read_more(reader, answered):
    return reader.answered > answered + 1


def test_behind_proxies_the_stores_restart_and_nothing_is_lost_or_doubled(begun, behind):
    for name in STORES:
        begun.wait_for_answers(20)
        code, _ = behind.restart(name)
        assert code == 0
        begun.wait_for_answers(20)

    begun.load.finish()
    begun.check(120)


def open_socket(address, query):
    """A WebSocket of the live tail, opened as a browser does."""
    host, _, port = address.partition(":")
    opened = socket.create_connection((host, int(port)), timeout=60)
    lines = [
        f"GET /ws/live?{query} HTTP/1.1",
        f"Host: {address}",
        f"Origin: http://{address}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: c2hlYWYgdGVzdHMgdGhpcw==",
    ]
    opened.sendall("\r\n".join([*lines, "", ""]).encode())
    return opened


def read_until(opened, text):
    """Read from a socket until a text comes, and return all that came."""
    content = b""
    while text not in content:
        received = opened.recv(65536)
        assert received, content
        content += received
    return content


@pytest.mark.parametrize("proxy", PROXIES)
def test_the_live_tail_goes_through_a_proxy(behind, proxy):
    behind.heal()
    address, query = f"127.0.0.1:{behind.ports[proxy, 'api']}", f"workspace_id=live-{proxy}"
    stream = f"http://{address}/api/v1/logs/live?{query}"
    with (
        open_socket(address, query) as opened,
        urllib.request.urlopen(stream, timeout=60) as events,
    ):
        assert read_until(opened, b'{"ready":').startswith(b"HTTP/1.1 101 ")
        assert events.readline() == b"event: ready\n"

        http_door = f"http://127.0.0.1:{behind.ports[proxy, 'http']}/api/v1/ingest"
        record = json.dumps({"message": "seen live"}).encode()
        headers = {"X-Workspace-Id": f"live-{proxy}", "Content-Type": "application/json"}
        urllib.request.urlopen(
            urllib.request.Request(http_door, record, headers), timeout=60
        ).close()
        assert any(b"seen live" in line for line in events)
        read_until(opened, b"seen live")


@pytest.mark.parametrize("proxy", PROXIES)
def test_what_is_too_large_is_refused_for_good_behind_a_proxy(behind, proxy):
    behind.heal()
    body = request("large", ["x" * (17 * 1024 * 1024)])
    address = f"127.0.0.1:{behind.ports[proxy, 'grpc']}"
    unlimited = [("grpc.max_send_message_length", -1)]
    with (
        grpc.insecure_channel(address, unlimited) as channel,
        pytest.raises(grpc.RpcError) as refused,
    ):
        channel.unary_unary(LOGS.export)(body, timeout=60)
    # HAProxy ends a call that is answered before it was sent: docs/operating/proxies.md.
    also = {grpc.StatusCode.CANCELLED} if proxy == "haproxy" else set()
    assert refused.value.code() in {grpc.StatusCode.RESOURCE_EXHAUSTED} | also

    sent = urllib.request.Request(
        f"http://127.0.0.1:{behind.ports[proxy, 'http']}/v1/logs",
        body,
        {"Content-Type": "application/x-protobuf"},
    )
    with pytest.raises(urllib.error.HTTPError) as too_large:
        urllib.request.urlopen(sent, timeout=60)
    with too_large.value as answer:
        assert answer.code == 413
