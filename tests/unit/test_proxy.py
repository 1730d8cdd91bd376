"""The chaos tests' proxy leaves nothing open, whenever it is stopped."""

import gc
import socket
import threading
import warnings
from contextlib import contextmanager

import pytest

from tests.chaos.proxy import Proxy


@contextmanager
def nothing_left_open():
    """Fail if anything is garbage-collected in the block that was not closed before."""
    gc.collect()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        yield
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


@pytest.fixture
def mute():
    """A port that accepts no connection: its queue is full."""
    with socket.socket() as server, socket.socket() as fills:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        fills.connect(server.getsockname())
        yield server.getsockname()[1]


@pytest.fixture
def echo():
    """A port that sends back what it gets."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)

        def answer(connection):
            with connection:
                while piece := connection.recv(1000):
                    connection.sendall(piece)

        def accept():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                start(answer, connection)

        def start(target, *args):
            thread = threading.Thread(target=target, args=args)
            thread.start()
            threads.append(thread)

        threads = []
        start(accept)
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join()


def started(port, target):
    proxy = Proxy(port, target)
    proxy.start()
    return proxy


def connect(proxy):
    return socket.create_connection(("127.0.0.1", proxy.port))


def test_stopped_while_connections_are_being_made(mute, free_port, wait_until):
    with nothing_left_open():
        proxy = started(free_port(), mute)
        clients = [connect(proxy) for _ in range(5)]
        serving = proxy._serving
        wait_until(lambda: len(serving) == 5)

        proxy.stop()

        for client in clients:
            client.close()
        del proxy


@pytest.mark.parametrize("turn", range(20))
def test_stopped_at_whatever_moment_clients_come(mute, free_port, turn):
    with nothing_left_open():
        proxy = started(free_port(), mute)
        clients = [connect(proxy) for _ in range(turn)]

        proxy.stop()

        for client in clients:
            client.close()
        del proxy


def test_stopped_while_it_forwards(echo, free_port):
    with nothing_left_open():
        proxy = started(free_port(), echo)
        clients = [connect(proxy) for _ in range(5)]
        for client in clients:
            client.sendall(b"x")
            assert client.recv(1) == b"x"

        proxy.disconnect()
        assert clients[0].recv(1) == b""

        proxy.break_all("refuse")
        with connect(proxy) as refused:
            assert refused.recv(1) == b""

        proxy.stop()

        for client in clients:
            client.close()
        del proxy
