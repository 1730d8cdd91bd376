"""A WebSocket of the page through a real nginx, and of pages of other sites."""

import os
import signal
import socket
import subprocess
import sys

import pytest

pytestmark = pytest.mark.integration

# What nginx tells the API about the address that the browser uses.
USUAL = "proxy_set_header Host $host;"
PROXIES = {
    "usual": USUAL,
    "with port": "proxy_set_header Host $http_host;",
    "forwarded host": f"{USUAL} proxy_set_header X-Forwarded-Host $http_host;",
    "forwarded port": f"{USUAL} proxy_set_header X-Forwarded-Port $server_port;",
}

NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  {servers}
}}
"""

SERVER = """
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{api}; proxy_http_version 1.1; proxy_buffering off;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; {headers}
    }}
  }}
"""


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def start(wait_until, project_root):
    """Start a program that listens on a port; it is stopped in the end."""
    started = []

    def begin(command, port, **environment):
        process = subprocess.Popen(command, cwd=project_root, env=os.environ | environment)
        started.append(process)
        wait_until(lambda: process.poll() is not None or listens(port), 120)
        assert process.poll() is None

    yield begin
    for process in reversed(started):
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@pytest.fixture(scope="module")
def proxies(require, start, free_port, tmp_path_factory):
    """Ports of nginx in front of an API, by what it passes on, for an API with a public address."""
    ports = {name: free_port() for name in (*PROXIES, "public")}
    apis = {"public": free_port(), "": free_port()}
    for name, api in apis.items():
        public = f"http://localhost:{ports['public']}" if name else ""
        # Where there is no broker, readers are admitted all the same.
        start(
            [sys.executable, "-m", "web"],
            api,
            API_PORT=str(api),
            PUBLIC_URL=public,
            REDIS_URL=f"redis://127.0.0.1:{free_port()}/0",
            CLICKHOUSE_PORT=str(free_port()),
            DRAIN_SECONDS="0",
            LOG_LEVEL="error",
        )
    folder = tmp_path_factory.mktemp("nginx")
    servers = "".join(
        SERVER.format(port=port, api=apis.get(name, apis[""]), headers=PROXIES.get(name, USUAL))
        for name, port in ports.items()
    )
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, servers=servers))
    start([require("nginx"), "-c", str(config), "-e", f"{folder}/error.log"], ports["usual"])
    return ports


def opened(port, origin, host="localhost"):
    """The status of a WebSocket that a page of `origin` opens, and what comes with it."""
    lines = [
        "GET /ws/live HTTP/1.1",
        f"Host: {host}:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==",
        "Sec-WebSocket-Version: 13",
        f"Origin: {origin}",
    ]
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = connection.recv(65536).decode()
        while answer.startswith("HTTP/1.1 403") and "}}" not in answer:
            answer += connection.recv(65536).decode()
    return int(answer.split()[1]), answer


@pytest.mark.parametrize("proxy", ["with port", "forwarded host", "forwarded port", "public"])
def test_the_page_behind_a_proxy_opens_its_socket_and_no_other_site_does(proxies, proxy):
    port = proxies[proxy]
    assert opened(port, f"http://localhost:{port}")[0] == 101
    others = [f"http://localhost:{port + 1}", "https://evil.example"]
    if proxy != "public":
        # Its `Host`, which counts beside the public address, has no port.
        others.append("http://localhost")
    for other in others:
        assert opened(port, other)[0] == 403, other


def test_without_the_port_the_refusal_says_what_to_set(proxies):
    port = proxies["usual"]
    status, answer = opened(port, f"http://localhost:{port}")
    assert status == 403
    assert "set PUBLIC_URL, or pass the host with its port" in answer


def test_another_name_of_the_public_address_is_another_site(proxies):
    port = proxies["public"]
    assert opened(port, f"http://127.0.0.1:{port}", host="127.0.0.1")[0] == 403
