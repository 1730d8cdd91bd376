import socket

import pytest

from cli.errors import StartError
from cli.ports import check_free, listeners, reachable
from config.settings import Settings


@pytest.fixture
def ports(free_port):
    names = (
        "otel_grpc_port",
        "otel_http_port",
        "api_port",
        "flower_port",
        "clickhouse_port",
        "clickhouse_http_port",
        "valkey_port",
    )
    return {name: free_port() for name in names}


def test_free_ports_pass(ports):
    check_free(Settings(**ports))


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("name", ["otel_grpc_port", "flower_port", "clickhouse_http_port"])
def test_a_taken_port_is_named_with_its_setting(ports, name, host):
    with socket.create_server((host, ports[name])), pytest.raises(StartError) as raised:
        check_free(Settings(**ports))

    [sentence] = str(raised.value).splitlines()
    assert f"Port {ports[name]}" in sentence
    assert f"set {name.upper()}" in sentence


def test_every_taken_port_gets_a_sentence(ports):
    with (
        socket.create_server(("", ports["api_port"])),
        socket.create_server(("", ports["valkey_port"])),
        pytest.raises(StartError) as raised,
    ):
        check_free(Settings(**ports))
    assert len(str(raised.value).splitlines()) == 2


def test_an_address_that_is_not_ours_is_named(ports):
    with pytest.raises(StartError, match=r"192\.0\.2\.1"):
        check_free(Settings(**ports, listen_host="192.0.2.1", allow_open=True))


def test_servers_of_ones_own_need_no_port_here():
    settings = Settings(clickhouse_host="db", redis_url="redis://broker/0")

    assert {listener.setting for listener in listeners(settings)} == {
        "OTEL_GRPC_PORT",
        "OTEL_HTTP_PORT",
        "API_PORT",
        "FLOWER_PORT",
    }


@pytest.mark.parametrize(
    ("listening", "reached"),
    [("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("10.1.2.3", "10.1.2.3"), ("::1", "[::1]")],
)
def test_a_server_is_reached_under_the_address_it_listens_on(listening, reached):
    assert reachable(listening) == reached
