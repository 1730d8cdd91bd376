"""What a connection keeps of its requests."""

import socket

import pytest
from gunicorn.config import Config

from serving.buffered_socket import WaitingThreads
from serving.connection import Connection

HEAD = b"POST /x HTTP/1.1\r\nHost: x\r\n"
BODY = b"a" * 50_000


@pytest.mark.parametrize(
    "request_bytes",
    [
        HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n",
    ],
)
def test_a_body_is_the_requests_and_is_not_kept_until_the_client_goes(request_bytes):
    client, accepted = socket.socketpair()
    with client, accepted:
        connection = Connection(accepted, ("x", 1), ("y", 2), WaitingThreads(2), 1 << 20)
        assert connection.arrival.feed(request_bytes)
        request = connection.parse(Config())
        assert request.body.read() == BODY
        assert connection.arrival.body == []
