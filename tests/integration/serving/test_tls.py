"""TLS at the event loop: what holds of HTTP holds of HTTPS, and certificates follow their files."""

import os
import socket
import ssl
import threading

import pytest
import trustme

from tests.integration.serving.small_server import BIG, listens

pytestmark = pytest.mark.integration

HELLO = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def files(tmp_path):
    """The settings of a server whose certificate is in these files."""
    return {"tls_cert": str(tmp_path / "cert.pem"), "tls_key": str(tmp_path / "key.pem")}


def write(files, authority, *names):
    """Write a certificate for these names, and its key."""
    made = authority.issue_cert(*names)
    made.private_key_pem.write_to_path(files["tls_key"])
    for number, blob in enumerate(made.cert_chain_pems):
        blob.write_to_path(files["tls_cert"], append=number > 0)


@pytest.fixture
def secured(start, files, authority):
    """A server with TLS; returns its port."""
    write(files, authority, "localhost")
    return start(**files)[1]


def trusting(authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def connect(port, authority, name="localhost", context=None):
    raw = socket.create_connection(("127.0.0.1", port), timeout=60)
    return (context or trusting(authority)).wrap_socket(raw, server_hostname=name)


def answer(connection):
    """The status and the body of an answer that has a Content-Length."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(1 << 16)
    head, _, body = received.partition(b"\r\n\r\n")
    [length] = [
        int(line.split(b":")[1])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    ]
    while len(body) < length:
        body += connection.recv(1 << 16)
    return int(head.split()[1]), body


def test_requests_are_answered_one_after_another_on_one_connection(secured, authority):
    with connect(secured, authority) as connection:
        for _ in range(3):
            connection.sendall(HELLO)
            assert answer(connection) == (200, b"hello")
        # Two at once.
        connection.sendall(HELLO * 2)
        assert answer(connection)[0] == 200


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_both_versions_are_spoken_and_older_ones_are_not(secured, authority, version):
    context = trusting(authority)
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    with connect(secured, authority, context=context) as connection:
        connection.sendall(HELLO)
        assert answer(connection) == (200, b"hello")


def test_the_minimum_version_is_a_setting(start, files, authority):
    write(files, authority, "localhost")
    _, port = start(**files, tls_min_version="1.3")
    context = trusting(authority)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        connect(port, authority, context=context)


def test_a_body_is_received_whole_in_pieces_of_any_size(secured, authority):
    body = os.urandom(700_000)
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    with connect(secured, authority) as connection:
        connection.sendall(head + body[:1])
        for start in range(1, len(body), 90_001):
            connection.sendall(body[start : start + 90_001])
        assert answer(connection) == (200, body)


def test_an_answer_arrives_whole_at_a_slow_reader_and_holds_no_thread(secured, authority):
    connections = [connect(secured, authority) for _ in range(12)]
    for connection in connections:
        connection.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
    # Nobody reads yet, and there are fewer threads than readers.
    with connect(secured, authority) as other:
        other.sendall(HELLO)
        assert answer(other) == (200, b"hello")
    for connection in connections:
        assert answer(connection) == (200, b"x" * BIG)
        connection.close()


def test_an_endless_answer_is_sent_as_it_is_read(secured, authority):
    with connect(secured, authority) as connection:
        connection.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = b""
        while piece := connection.recv(1 << 16):
            received += piece
    assert received.count(b"y" * 1000) == BIG // 1000


def test_half_a_handshake_and_plain_text_hold_nobody_up(secured, authority):
    idle = [socket.create_connection(("127.0.0.1", secured), 60) for _ in range(40)]
    for connection in idle[:20]:
        connection.sendall(b"\x16\x03\x01\x02\x00\x01")
    for connection in idle[20:]:
        connection.sendall(HELLO)
    with connect(secured, authority) as other:
        other.sendall(HELLO)
        assert answer(other) == (200, b"hello")
    for connection in idle[20:]:
        assert b"hello" not in connection.recv(1 << 16)
    for connection in idle:
        connection.close()


def test_a_new_certificate_is_taken_by_new_connections(start, files, authority, wait_until):
    write(files, authority, "localhost")
    _, port = start(**files)
    with connect(port, authority) as open_before:
        write(files, authority, "renewed.example")

        def is_renewed():
            try:
                connect(port, authority, "renewed.example").close()
            except ssl.SSLCertVerificationError:
                return False
            return True

        wait_until(is_renewed)
        open_before.sendall(HELLO)
        assert answer(open_before) == (200, b"hello")


def test_with_a_client_ca_only_its_clients_are_answered(start, files, authority, tmp_path):
    write(files, authority, "localhost")
    clients = trustme.CA()
    clients.cert_pem.write_to_path(str(tmp_path / "clients.pem"))
    _, port = start(**files, tls_client_ca=str(tmp_path / "clients.pem"))

    context = trusting(authority)
    clients.issue_cert("client@example.com").configure_cert(context)
    with connect(port, authority, context=context) as connection:
        connection.sendall(HELLO)
        assert answer(connection) == (200, b"hello")

    assert answer_to_a_stranger(port, authority) == b""


def answer_to_a_stranger(port, authority):
    """What a client without a certificate receives; in TLS 1.3 its own handshake succeeds."""
    try:
        with connect(port, authority) as stranger:
            stranger.sendall(HELLO)
            return stranger.recv(1 << 16)
    except (ssl.SSLError, ConnectionError):
        return b""


def test_many_clients_at_once_get_their_own_answers(secured, authority):
    failures = []

    def talk(number):
        try:
            with connect(secured, authority) as connection:
                for turn in range(10):
                    body = f"{number}-{turn}-".encode() * 2000
                    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
                    connection.sendall(head % len(body) + body)
                    assert answer(connection) == (200, body)
        except (OSError, AssertionError) as error:
            failures.append(error)

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert listens(secured)
