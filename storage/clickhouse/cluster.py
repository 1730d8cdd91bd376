"""The replicas of `CLICKHOUSE_CLUSTER`, asked one by one.

Queries and inserts go through Distributed tables on any host. What must not miss a replica asks
each of them: docs/decisions/0033-replicas.md
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from config.hosts import Host
from storage.clickhouse.errors import (
    TABLE_IS_READ_ONLY,
    TIMEOUT_EXCEEDED,
    QueryRefusedError,
    StorageError,
    UnavailableError,
)
from storage.clickhouse.hosts import Hosts
from storage.clickhouse.sql import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from config.settings import Settings
    from storage.clickhouse.client import Clickhouse, Params, Row

_KNOWN_SECONDS = 60.0
_MARGIN = 4
_SYNC_SECONDS = 3
_MAJORITY_FROM = 3
_TRY_ANOTHER = frozenset({TABLE_IS_READ_ONLY, TIMEOUT_EXCEEDED})


class Shard(Hosts):
    """The replicas of a shard, which hold the same rows."""

    def __init__(self, hosts: Sequence[Host], weight: int) -> None:
        """Of all rows, the shard gets its `weight` in the sum of all weights."""
        super().__init__(hosts)
        self.weight = weight


class Cluster:
    """The shards of a cluster and their replicas. Thread-safe."""

    def __init__(
        self, settings: Settings, clickhouse: Clickhouse, connect: Callable[[Host], Clickhouse]
    ) -> None:
        """Know no replica yet.

        Args:
            settings: the cluster's name, and how many replicas must have rows.
            clickhouse: any host; it is asked which replicas there are.
            connect: makes a connection to one replica.
        """
        self._settings = settings
        self._clickhouse = clickhouse
        self._connect = connect
        self._lock = threading.Lock()
        self._connections: dict[Host, Clickhouse] = {}
        self._shards: Sequence[Shard] = ()
        self._looked = 0.0

    @property
    def no_lag(self) -> dict[str, Any]:
        """Settings of a query that is refused rather than answered by a replica that lags."""
        return little_lag(self._settings) | {
            "fallback_to_stale_replicas_for_distributed_queries": 0,
        }

    @property
    def margin_seconds(self) -> float:
        """How much longer marks hold: for clocks that differ, and for replicas that lag."""
        return _MARGIN * self._settings.replica_lag_seconds

    def shards(self) -> Sequence[Shard]:
        """The replicas of each shard, as ClickHouse's `remote_servers` names them.

        Raises:
            StorageError: no host of `CLICKHOUSE_HOST` answers, or none knows the cluster.
        """
        if not self._shards or time.monotonic() - self._looked > _KNOWN_SECONDS:
            self._shards, self._looked = self._configured(), time.monotonic()
        return self._shards

    def check(self) -> None:
        """Check that ClickHouse knows the cluster, and replicates what a host is sent.

        Raises:
            StorageError: it does not; the text says what to set.
        """
        self.shards()
        rows = self._clickhouse.query(
            "SELECT shard_num FROM system.clusters WHERE cluster = %(cluster)s "
            "GROUP BY shard_num HAVING count() > 1 AND NOT min(internal_replication)",
            {"cluster": self._settings.clickhouse_cluster},
        )
        if rows:
            raise QueryRefusedError(
                f"Shard {rows[0][0]} of cluster {self._settings.clickhouse_cluster!r} has no "
                "internal_replication, so each replica would be sent every row, and each would "
                "replicate it: set it to true in remote_servers"
            )

    def must_have(self) -> int:
        """How many replicas of a shard must have rows that count as stored."""
        asked = self._settings.replicas_must_have
        most = max(len(shard.all) for shard in self.shards())
        return asked or (most // 2 + 1 if most >= _MAJORITY_FROM else 1)

    def durable(self) -> dict[str, Any]:
        """Settings of an insert that returns when as many replicas as needed have the rows.

        Raises:
            StorageError: as :meth:`shards`.
        """
        at_once = {"insert_distributed_sync": 1}
        copies = self.must_have()
        if copies == 1:
            return at_once
        return at_once | {
            "insert_quorum": copies,
            "insert_quorum_parallel": 1,
            "insert_quorum_timeout": int(self._settings.insert_timeout * 500),
        }

    def caught_up(
        self,
        table: str,
        sql: str,
        params: Params,
        limits: Mapping[str, Any],
    ) -> list[Row]:
        """The rows of a query on a replica of each shard that has all that was inserted before.

        Args:
            table: the table.
            sql: a query over `<table>_local`.
            params: values for its placeholders.
            limits: ClickHouse settings for it.

        Raises:
            UnavailableError: no replica of a shard can be reached and has all.
        """
        found: list[Row] = []

        def ask(replica: Clickhouse) -> None:
            _sync(replica, table)
            found.extend(replica.query(sql, params, limits))

        for number, shard in enumerate(self.shards(), 1):
            self._ask_one(number, shard, ask)
        return found

    def on_all_with_rows(
        self, table: str, sql: str, params: Params, limits: Mapping[str, Any]
    ) -> Iterator[list[list[Row]]]:
        """For each shard, the rows of a query on each replica that can be reached.

        Together, they miss nothing that was inserted before. All replicas of a shard do, whether or
        not they lag. If one cannot be reached, another must have fetched what it had.

        Args:
            table: the table.
            sql: a query over `<table>_local`.
            params: values for its placeholders.
            limits: ClickHouse settings for it.

        Raises:
            UnavailableError: no replica can be reached, or none has all.
        """
        for number, shard in enumerate(self.shards(), 1):
            answers = self._on_reachable(number, shard, sql, params, limits)
            if len(answers) < len(shard.all):
                self._ask_one(number, shard, lambda replica: _sync(replica, table))
                answers = self._on_reachable(number, shard, sql, params, limits)
            yield answers

    def on_each_shard(self, sql: str, params: Params, limits: Mapping[str, Any]) -> None:
        """Run a statement on one replica of each shard, which replicates what it does.

        Raises:
            UnavailableError: no replica of a shard could be reached; others may have run it.
            QueryRefusedError: a replica refused it, other than because it only reads.
        """
        for number, shard in enumerate(self.shards(), 1):
            self._ask_one(number, shard, lambda replica: replica.query(sql, params, limits))

    def on_all_reachable(
        self, sql: str, params: Params, limits: Mapping[str, Any] | None = None
    ) -> Iterator[tuple[Hosts, list[list[Row]]]]:
        """For each shard, the rows of a query on each of its replicas that can be reached.

        Raises:
            UnavailableError: no replica of a shard can be reached.
        """
        for number, shard in enumerate(self.shards(), 1):
            yield shard, self._on_reachable(number, shard, sql, params, limits)

    def kill(self, query_prefix: str) -> None:
        """Stop all queries that began with such an id, on any host, and wait for their end.

        On the shards they have other ids, so the id of the first query counts.

        Raises:
            UnavailableError: one may still run on a host that cannot be reached.
        """
        kill = "KILL QUERY WHERE startsWith(initial_query_id, %(prefix)s) SYNC"
        for shard, answers in self.on_all_reachable(kill, {"prefix": query_prefix}):
            if len(answers) < len(shard.all):
                self._check_dead(shard, len(answers))

    def close(self) -> None:
        """Close the connections to the replicas."""
        with self._lock:
            for connection in self._connections.values():
                connection.close()
            self._connections.clear()

    def _check_dead(self, shard: Hosts, reached: int) -> None:
        """Check that replicas that cannot be reached are not alive for ZooKeeper either."""
        sql = "SELECT max(active_replicas) FROM system.replicas WHERE database = currentDatabase()"
        for host in shard.all:
            try:
                [(active,)] = self._on(host).query(sql)
            except UnavailableError:
                continue
            if active > reached:
                names = ", ".join(map(str, shard.all))
                raise UnavailableError(
                    f"A replica of {names} cannot be reached but is alive: "
                    "an earlier insert may still run there"
                )

    def _on_reachable(
        self,
        number: int,
        shard: Hosts,
        sql: str,
        params: Params,
        limits: Mapping[str, Any] | None,
    ) -> list[list[Row]]:
        answers: list[list[Row]] = []
        problem: StorageError | None = None
        for host in shard.all:
            try:
                answers.append(self._on(host).query(sql, params, limits))
            except UnavailableError as error:
                problem = error
        if not answers:
            raise UnavailableError(f"No replica of shard {number} can be reached: {problem}")
        return answers

    def _ask_one(self, number: int, shard: Hosts, ask: Callable[[Clickhouse], object]) -> None:
        """Ask a replica, and another one if it cannot be reached, lags, or only reads."""
        problems = []
        for host in shard.in_order():
            try:
                ask(self._on(host))
            except (UnavailableError, QueryRefusedError) as error:
                if isinstance(error, QueryRefusedError) and error.code not in _TRY_ANOTHER:
                    raise
                shard.note_failure(host)
                problems.append(f"{host}: {error}")
            else:
                return
        raise UnavailableError(f"No replica of shard {number} can: {'; '.join(problems)}")

    def _configured(self) -> Sequence[Shard]:
        name = self._settings.clickhouse_cluster
        rows = self._clickhouse.query(
            "SELECT shard_num, shard_weight, host_name, port FROM system.clusters "
            "WHERE cluster = %(cluster)s ORDER BY shard_num, replica_num",
            {"cluster": name},
        )
        if not rows:
            raise UnavailableError(f"ClickHouse's remote_servers has no cluster {name!r}")
        shards: dict[tuple[int, int], list[Host]] = {}
        for number, weight, host, port in rows:
            shards.setdefault((number, weight), []).append(Host(host, port, 0))
        return [Shard(hosts, weight) for (_, weight), hosts in shards.items()]

    def _on(self, host: Host) -> Clickhouse:
        with self._lock:
            if host not in self._connections:
                self._connections[host] = self._connect(host)
            return self._connections[host]


def _sync(replica: Clickhouse, table: str) -> None:
    """Wait until a replica has all inserts of a table."""
    wait = {"receive_timeout": _SYNC_SECONDS}
    replica.query(f"SYSTEM SYNC REPLICA {quoted(table + '_local')} LIGHTWEIGHT", {}, wait)


def little_lag(settings: Settings) -> dict[str, Any]:
    """Settings of a query that is answered by a replica that does not lag, if there is one."""
    if not settings.clickhouse_cluster:
        return {}
    return {"max_replica_delay_for_distributed_queries": settings.replica_lag_seconds}
