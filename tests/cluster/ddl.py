"""ON CLUSTER without ClickHouse's queue of statements in ZooKeeper: each host is asked directly.

As with the queue, a host that is away gets the statement when it is back, unless the server that
was asked ends before; and the client waits for all hosts as long as
`distributed_ddl_task_timeout` and `distributed_ddl_output_mode` say.
"""

import threading
import time

from clickhouse_driver import Client
from clickhouse_driver.errors import Error, NetworkError, ServerException

from embedded.errors import Code, ServerError
from embedded.server import Server
from embedded.statement import kind_of, quote, tokens

_PASSED_ON = (
    *("mutations_sync", "alter_sync", "replication_alter_partitions_sync", "max_query_size"),
    *("max_partition_size_to_drop", "max_table_size_to_drop", "max_execution_time"),
    *("distributed_ddl_task_timeout", "distributed_ddl_output_mode"),
)
_TIMEOUT, _MODE = "180", "throw"
_SILENT = {"none", "null_status_on_timeout", "never_throw"}
_RETRY_AFTER = 0.2
_ONCE = {b"ALTER", b"OPTIMIZE", b"TRUNCATE"}
_ON_EACH = ((b"MODIFY", b"SETTING"), (b"RESET", b"SETTING"), (b"FREEZE",), (b"UNFREEZE",))
_BEFORE_NAME = {b"TABLE", b"IF", b"EXISTS"}


class ClusterServer(Server):
    """A server that runs ON CLUSTER on each host of its cluster.

    Args:
        engine: The open engine.
        shards: The native ports of each shard's replicas, on 127.0.0.1.
    """

    def __init__(self, engine, shards):
        super().__init__(engine, "default", "")
        self._shards = shards

    def results(self, connection, query, sql, form, parameters):
        """Run a statement, on all hosts if it says so."""
        text = without_cluster(sql)
        if text is None and kind_of(sql) == "insert":
            name(connection, query)
        if text is None:
            yield from super().results(connection, query, sql, form, parameters)
            return
        names = ", ".join(f"'{name}'" for name in _PASSED_ON)
        changed = f"SELECT name, value FROM system.settings WHERE changed AND name IN ({names})"
        lines = connection.run(changed.encode(), "TSV").body.decode().splitlines()
        self._run(text, dict(line.split("\t") for line in lines), query)

    def insert(self, connection, query, insert, form):
        """Begin an INSERT whose rows follow."""
        name(connection, query)
        return super().insert(connection, query, insert, form)

    def _run(self, text, settings, query):
        timeout = float(settings.pop("distributed_ddl_task_timeout", _TIMEOUT))
        mode = settings.pop("distributed_ddl_output_mode", _MODE).removesuffix("_only_active")
        targets = self._shards
        if not self._once_a_shard(query.database, text):
            targets = [[port] for shard in self._shards for port in shard]
        runs = [_Run(text, settings, query.database, ports) for ports in targets]
        deadline = time.monotonic() + (timeout if timeout >= 0 else 1e9)
        for run in runs:
            while not run.ended.wait(0.02) and time.monotonic() < deadline:
                query.check()
        failed = [run.error for run in runs if run.error is not None]
        if failed and mode != "never_throw":
            raise failed[0]
        late = sum(not run.ended.is_set() for run in runs)
        if late and mode not in _SILENT:
            raise ServerError(
                Code.TIMEOUT_EXCEEDED,
                f"Distributed DDL task is not finished on {late} of {len(runs)} hosts "
                f"(distributed_ddl_task_timeout = {timeout:g} s)",
            )

    def _once_a_shard(self, database, text):
        """Whether one replica of each shard runs a statement, and the others follow it."""
        words = [token.word for token in tokens(text)]
        if words[0] not in _ONCE:
            return False
        for phrase in _ON_EACH:
            if any(tuple(words[at : at + len(phrase)]) == phrase for at in range(len(words))):
                return False
        names = table_of(text)
        database, table = names if len(names) > 1 else (database, names[0])
        condition = b"database = " + quote(database) + b" AND name = " + quote(table)
        engines = self.engine.ask(b"SELECT engine FROM system.tables WHERE " + condition)
        return bool(engines) and engines[0].startswith("Replicated")


class _Run(threading.Thread):
    """A statement on the first of some hosts that takes it; tried until one does."""

    def __init__(self, text, settings, database, ports):
        super().__init__(name="ddl", daemon=True)
        self._text = text.decode()
        self._settings = settings
        self._database = database
        self._ports = ports
        self.error = None
        self.ended = threading.Event()
        self.start()

    def run(self):
        while not any(self._taken(port) for port in self._ports):
            time.sleep(_RETRY_AFTER)
        self.ended.set()

    def _taken(self, port):
        client = Client("127.0.0.1", port, database=self._database, connect_timeout=3)
        try:
            client.execute(self._text, settings=self._settings)
        except ServerException as error:
            self.error = ServerError(error.code, error.message)
        except (OSError, EOFError, NetworkError):
            return False
        except Error as error:
            self.error = ServerError(Code.STD_EXCEPTION, str(error))
        finally:
            client.disconnect()
        return True


def name(connection, query):
    """Let other servers know by which id a client knows the INSERT that they get a part of.

    chDB gives each query an id of its own, but passes on its settings.
    """
    connection.set({"log_comment": query.query_id})


def without_cluster(sql):
    """A statement without its ON CLUSTER, None if it has none."""
    if b"cluster" not in sql.lower():
        return None
    before = (None, None)
    for token in tokens(sql):
        words = [each.word for each in before if each is not None]
        if token.depth == 0 and words == [b"ON", b"CLUSTER"]:
            return sql[: before[0].start] + sql[token.end :]
        before = before[1], token
    return None


def table_of(text):
    """The table of ALTER, OPTIMIZE or TRUNCATE TABLE: its name, or database and name."""
    rest = list(tokens(text))[1:]
    while rest[0].word in _BEFORE_NAME:
        rest = rest[1:]
    count = 3 if len(rest) > 1 and rest[1].word == b"." else 1
    return [text[token.start : token.end].decode().strip('`"') for token in rest[:count:2]]
