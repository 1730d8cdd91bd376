"""ClickHouse's native TCP protocol: one session for each connection."""

import contextlib
import logging
import socket
from collections.abc import Iterator

from config.hung_up import hung_up
from embedded import blocks, columns, external, packets, replicas
from embedded.connection import Connection
from embedded.errors import Code, ServerError
from embedded.insertion import Insertion
from embedded.listener import stop_reading
from embedded.registry import RunningQuery
from embedded.server import Server
from embedded.session import Session
from embedded.statement import Insert, insert_of, kind_of, seconds, single, without_format
from embedded.wire import decompressed, frame, from_socket

log = logging.getLogger(__name__)


class NativeSession:
    """One client of the native protocol, from its Hello until it disconnects.

    Args:
        server: The engine, its users and its running queries.
        connection: The client's socket.
        address: The client's address and port.
    """

    def __init__(self, server: Server, connection: socket.socket, address: tuple[str, int]) -> None:
        self._server = server
        self._socket = connection
        self._address = address
        self._stream = from_socket(connection)
        self._user = ""
        self._revision = 0
        self._method = ""
        self._usable = True
        self._external: external.Tables = {}

    def serve(self) -> None:
        """Answer the client until it disconnects.

        Raises:
            OSError: The connection broke.
            EOFError: The client closed it in the middle of a packet.
        """
        try:
            session = self._greet()
        except ServerError as error:
            self._send(packets.exception(error))
            return
        with contextlib.closing(session):
            while self._usable and self._packet(session):
                pass

    def _greet(self) -> Session:
        kind = self._stream.varint()
        if kind != packets.HELLO:
            raise ServerError(
                Code.UNEXPECTED_PACKET_FROM_CLIENT, f"Unexpected packet {kind} from client"
            )
        hello = packets.read_hello(self._stream)
        self._server.authenticate(hello.user, hello.password)
        session = Session(self._server.engine, {"database": hello.database or "default"})
        self._user = hello.user
        self._revision = min(hello.revision, packets.REVISION)
        self._send(
            packets.server_hello(self._revision, self._server.version, self._server.timezone)
        )
        return session

    def _packet(self, session: Session) -> bool:
        try:
            kind = self._stream.varint()
        except EOFError:
            return False
        if kind == packets.PING:
            self._send(packets.PONG)
        elif kind == packets.QUERY:
            self._query(session)
        elif kind == packets.TABLES_STATUS:
            self._tables_status()
        elif kind != packets.CANCEL:
            name = Code.UNKNOWN_PACKET_FROM_CLIENT
            self._send(packets.exception(ServerError(name, f"Unknown packet {kind} from client")))
            return False
        return True

    def _tables_status(self) -> None:
        try:
            asked = packets.read_tables_status(self._stream)
            found = replicas.status(self._server.engine, asked)
        except ServerError as error:
            self._usable = False
            self._send(packets.exception(error))
        else:
            self._send(packets.tables_status(found))

    def _query(self, session: Session) -> None:
        """Read one query and answer it; errors of the protocol itself end the session."""
        try:
            query = packets.read_query(self._stream, self._revision, self._server.engine.is_integer)
            self._method = query.settings.get("network_compression_method", "LZ4")
            self._method = self._method if query.compressed else ""
            self._external = self._read_external_tables()
        except ServerError as error:
            self._usable = False
            self._send(packets.exception(error))
            return
        try:
            with self._server.registry.running(self._running(session, query)) as running:
                self._answer(session, running, self.prepare(query))
        except ServerError as error:
            log.debug("query %s: %s", query.query_id, error)
            by_client = error.code == Code.QUERY_WAS_CANCELLED_BY_CLIENT
            self._send(packets.END_OF_STREAM if by_client else packets.exception(error))
        else:
            self._send(packets.END_OF_STREAM)

    def prepare(self, query: packets.Query) -> packets.Query:
        """Check a query before it runs, and return what to run.

        Raises:
            ServerError: Another server asks for an intermediate result.
        """
        if query.stage != packets.COMPLETE:
            raise ServerError(
                Code.NOT_IMPLEMENTED,
                f"Stage {query.stage} of a query was asked for; this server only gives complete "
                "results. Query it with a client, or with the table function remote() of a whole "
                "subquery",
            )
        return query

    def _running(self, session: Session, query: packets.Query) -> RunningQuery:
        limit = query.settings.get("max_execution_time")
        return RunningQuery(
            query_id=query.query_id,
            text=query.text,
            user=self._user,
            interface=1,
            address=self._address,
            database=session.database,
            hung_up=lambda: hung_up(self._socket, bytes([packets.CANCEL])),
            limit=session.limit if limit is None else seconds(limit),
            origin=query.origin,
        )

    def _answer(self, session: Session, running: RunningQuery, query: packets.Query) -> None:
        sql = query.text
        kind = kind_of(sql)
        insert = insert_of(sql) if kind == "insert" else None
        if kind in {"session", "temporary"}:
            session.run(single(sql), kind)
            return
        with (
            session.lease(query.settings) as connection,
            external.created(connection, self._external),
        ):
            if insert is None:
                self._select(connection, running, without_format(single(sql))[0])
            elif sql[insert.data :].strip(b" \t\r\n;"):
                self._insert_inline(connection, running, insert, sql[insert.data :])
            else:
                self._insert(connection, running, insert)

    def _select(self, connection: Connection, running: RunningQuery, sql: bytes) -> None:
        select = kind_of(sql) == "select"
        rows = count = size = 0
        running.abort = lambda: self._socket.shutdown(socket.SHUT_RDWR)
        results = self._server.results(connection, running, sql, "Native", {})
        with contextlib.closing(results):
            for result in results:
                self._send(packets.progress(result, self._revision))
                whole = [result.body] if select else [b.body for b in blocks.split(result.body)]
                for body in filter(None, whole):
                    self._send_header(body if not count else b"")
                    self._send_block(body)
                    rows, count, size = rows + result.rows, count + 1, size + len(body)
        if select and not count:
            self._send_block(blocks.header([c[:2] for c in columns.of_query(connection, sql)]))
        self._send(packets.profile_info(rows, count, size))

    def _send_header(self, body: bytes) -> None:
        """Send the first block without its rows before it, because clients expect a header."""
        try:
            for block in blocks.split(body):
                self._send_block(blocks.header(block.columns))
        except ServerError as error:
            log.debug("result sent without a header: %s", error)

    def _insert_inline(
        self, connection: Connection, running: RunningQuery, insert: Insert, rows: bytes
    ) -> None:
        with self._server.insert(connection, running, insert, insert.format) as insertion:
            insertion.append(rows)
            done = insertion.commit(running.check)
        self._send(packets.stored(done, self._revision))

    def _insert(self, connection: Connection, running: RunningQuery, insert: Insert) -> None:
        with self._server.insert(connection, running, insert, "Native") as insertion:
            running.hung_up = lambda: False
            running.unblock = lambda: stop_reading(self._socket)
            self._send_block(blocks.header([column[:2] for column in insertion.columns]))
            refused = self._take_rows(running, insertion)
            running.unblock = lambda: None
            if refused is not None:
                raise refused
            done = insertion.commit(running.check)
        self._send(packets.stored(done, self._revision))

    def _take_rows(self, running: RunningQuery, insertion: Insertion) -> ServerError | None:
        """Read the client's blocks to the last, even if the engine has refused one."""
        refused: ServerError | None = None
        try:
            for block in self._read_blocks():
                if refused is None:
                    try:
                        insertion.append(block.body)
                    except ServerError as error:
                        refused = error
        except (EOFError, ServerError) as error:
            self._usable = getattr(error, "code", 0) == Code.QUERY_WAS_CANCELLED_BY_CLIENT
            running.check()
            raise
        running.check()
        return refused

    def _read_blocks(self) -> Iterator[blocks.Block]:
        while (block := self._read_data((packets.DATA,))[2]).rows or block.columns:
            yield block

    def _read_external_tables(self) -> external.Tables:
        """Read the blocks after a query, to the empty one; scalars are not needed."""
        tables: external.Tables = {}
        while True:
            kind, name, block = self._read_data((packets.DATA, packets.SCALAR))
            if kind == packets.DATA and not (block.rows or block.columns):
                return tables
            if kind == packets.DATA:
                tables.setdefault(name, []).append(block)

    def _read_data(self, wanted: tuple[int, ...]) -> tuple[int, str, blocks.Block]:
        kind = self._stream.varint()
        if kind == packets.CANCEL:
            raise ServerError(Code.QUERY_WAS_CANCELLED_BY_CLIENT, "Query was cancelled")
        if kind not in wanted:
            raise ServerError(
                Code.UNEXPECTED_PACKET_FROM_CLIENT, f"Unexpected packet {kind} instead of Data"
            )
        name = self._stream.text()
        stream = decompressed(self._stream) if self._method else self._stream
        blocks.read_info(stream)
        return kind, name, blocks.read(stream)

    def _send_block(self, body: bytes) -> None:
        block = blocks.INFO + body
        self._send(packets.data(frame(block, self._method) if self._method else block))

    def _send(self, packet: bytes) -> None:
        self._socket.sendall(packet)


def serve(server: Server, connection: socket.socket, address: tuple[str, int]) -> None:
    """Serve one connection until its end."""
    NativeSession(server, connection, address).serve()
