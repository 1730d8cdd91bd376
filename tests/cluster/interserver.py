"""Gives other replicas the parts of this one, as ClickHouse's DataPartsExchange does."""

import contextlib
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from embedded.statement import quote
from embedded.wire import string
from tests.cluster.city import hash_of_file

# The last version before parts say more about themselves than their files do.
_VERSION = 9
_NOT_SENT = {"txn_version.txt", "delete-on-destroy.txt"}
_NO_TTL = b"ttl format version: 1\n{}"
_NO_UUID = b"00000000-0000-0000-0000-000000000000"
_NO_SUCH_DATA_PART, _ABORTED, _NOT_IMPLEMENTED = 232, 236, 48

_PART = (
    b"SELECT p.path, p.part_type FROM system.parts AS p "
    b"JOIN system.replicas AS r USING (database, table) "
    b"WHERE r.replica_path = %b AND p.name = %b"
)


class PartError(Exception):
    """A part cannot be sent; the first argument is ClickHouse's error number."""


class Interserver(ThreadingHTTPServer):
    """The port at which other replicas fetch parts.

    Args:
        host: Where to listen.
        port: Where to listen.
        engine: The engine that has the parts; it may be opened later.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, host, port, engine):
        self._engine = engine
        super().__init__((host, port), _Handler)

    def start(self):
        threading.Thread(target=self.serve_forever, name="interserver", daemon=True).start()

    def part(self, replica, name):
        """Folder and type of a part.

        Args:
            replica: The replica's path in ZooKeeper.
            name: The part's name.

        Raises:
            PartError: It is not here.
        """
        if not self._engine.is_open:
            raise PartError(_ABORTED, "The tables are being loaded")
        for line in self._engine.ask(_PART % (quote(replica), quote(name))):
            folder, kind = line.split("\t")
            return Path(folder), kind
        raise PartError(_NO_SUCH_DATA_PART, f"No part {name} in table")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """The log is for what goes wrong."""

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = dict(parse_qsl(urlsplit(self.path).query))
        replica = asked["endpoint"].partition(":")[2]
        version = min(int(asked.get("client_protocol_version", 0)), _VERSION)
        try:
            body = content(*self.server.part(replica, asked["part"]))
        except PartError as error:
            code, text = error.args
            headers = {"X-ClickHouse-Exception-Code": str(code)}
            self._answer(500, headers, f"Code: {code}. DB::Exception: {text}.".encode())
        else:
            self._answer(200, {"Set-Cookie": f"server_protocol_version={version}"}, body)

    def _answer(self, status, headers, body):
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(body)


def content(folder, kind):
    """A part as a replica expects it.

    Raises:
        PartError: It has just been removed, or has projections, which are not sent.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.name not in _NOT_SENT)
        if any(path.is_dir() for path in paths):
            raise PartError(_NOT_IMPLEMENTED, f"{folder} has projections")
        files = {path.name: path.read_bytes() for path in paths}
    except FileNotFoundError:
        raise PartError(_NO_SUCH_DATA_PART, f"No part {folder.name} in table") from None
    size = sum(map(len, files.values()))
    ttl = files.get("ttl.txt", _NO_TTL)
    pieces = [struct.pack("<Q", size), string(ttl), string(kind), _NO_UUID]
    pieces.append(struct.pack("<QQ", 0, len(files)))  # no projections, these files
    for name, data in files.items():
        pieces += [string(name), struct.pack("<Q", len(data)), data]
        pieces.append(struct.pack("<QQ", *hash_of_file(data)))
    return b"".join(pieces)
