"""Applies the schema's numbered SQL files in order; several processes may do so at once."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from string import Template

import structlog

from config.settings import Settings
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import QueryRefusedError
from storage.schema.files import Migration, created_table, migrations
from storage.schema.fronts import follow, front, on_cluster
from storage.schema.mend import mend_tables
from storage.schema.move import finish_move
from storage.schema.state import TABLE, State, read_state

log = structlog.get_logger(__name__)

_Step = Callable[[Clickhouse, Settings], None]

# What SQL cannot say, before and after the statements of the file with this number.
_STEPS: dict[int, tuple[_Step, _Step]] = {16: (finish_move, mend_tables)}

# Another process that takes the same step may just be changing or replacing a table; each try looks
# again at what is left to do.
_TRIES = 40
_PAUSE_SECONDS = 0.5

_SETTINGS = {
    # Into a Distributed table, return only when the shards have the rows.
    "insert_distributed_sync": 1,
    # Wait for the replicas that are up: a front is made from what its server has.
    "alter_sync": 3,
}


def migrate(settings: Settings) -> None:
    """Migrate the database to the newest schema.

    All statements are idempotent (`IF NOT EXISTS`), so two processes may migrate at once, and an
    interrupted migration is simply repeated. If nothing is missing, nothing is changed, so
    a process can start while a server of the cluster is down.

    Raises:
        SchemaError: the schema is newer than this version knows, or an applied file was changed.
        UnavailableError: ClickHouse cannot be reached.
        QueryRefusedError: ClickHouse refused a statement.
    """
    clickhouse = Clickhouse(settings)
    try:
        known = migrations()
        state = read_state(clickhouse, settings)
        if state is None:
            _prepare(clickhouse, settings)
            state = read_state(clickhouse, settings) or State()
        state.check(known)
        for migration in state.missing(known):
            _apply(clickhouse, settings, migration)
        _sign(clickhouse, settings, [each for each in known if each.version in state.unsigned])
        if settings.clickhouse_cluster and (replaced := follow(clickhouse, settings)):
            log.info("schema: fronts replaced", tables=replaced)
    finally:
        clickhouse.close()


def statements(sql: str, settings: Settings) -> Iterator[str]:
    """The statements of a file, with the deployment's engine, cluster and fsync filled in.

    With `CLICKHOUSE_CLUSTER`, each `CREATE TABLE name${local}` creates `name_local` and a
    Distributed table `name` in front of it. Rows are sharded by `ChunkId`, so that a chunk's rows
    in a partition stay atomic on one shard, or as `storage.schema.fronts` says.
    """
    clustered = bool(settings.clickhouse_cluster)
    substitutions = {
        "local": "_local" if clustered else "",
        "on_cluster": on_cluster(settings),
        "engine": "ReplicatedMergeTree" if clustered else "MergeTree",
        "replacing": "ReplicatedReplacingMergeTree" if clustered else "ReplacingMergeTree",
        "fsync": str(int(settings.fsync_parts)),
    }
    for statement in re.sub(r"^--.*\n", "", sql, flags=re.MULTILINE).split(";\n"):
        if statement.strip():
            yield Template(statement).substitute(substitutions)
            table = created_table(statement)
            if clustered and table:
                yield front(table, settings)


def _prepare(clickhouse: Clickhouse, settings: Settings) -> None:
    """Create the database, and the table in which migrations are recorded."""
    cluster = on_cluster(settings)
    system = Clickhouse(settings, database="system")
    try:
        if system.cluster:
            system.cluster.check()
        system.query(f"CREATE DATABASE IF NOT EXISTS `{settings.clickhouse_database}` {cluster}")
    finally:
        system.close()
    engine = "ReplicatedMergeTree" if settings.clickhouse_cluster else "MergeTree"
    clickhouse.query(
        f"CREATE TABLE IF NOT EXISTS {TABLE} {cluster} "
        f"(version UInt32, name String, applied_at DateTime DEFAULT now()) "
        f"ENGINE = {engine} ORDER BY version"
    )
    # Earlier versions created the table without these, and cannot read others than their own.
    clickhouse.query(
        f"ALTER TABLE {TABLE} {cluster} ADD COLUMN IF NOT EXISTS checksum String, "
        "ADD COLUMN IF NOT EXISTS needs UInt32",
        limits=_SETTINGS,
    )


def _apply(clickhouse: Clickhouse, settings: Settings, migration: Migration) -> None:
    log.info("schema: applying", migration=migration.name)
    for tries_left in reversed(range(_TRIES if migration.version in _STEPS else 1)):
        try:
            _apply_once(clickhouse, settings, migration)
            break
        except QueryRefusedError:
            if not tries_left:
                raise
            time.sleep(_PAUSE_SECONDS)
    _sign(clickhouse, settings, [migration])


def _apply_once(clickhouse: Clickhouse, settings: Settings, migration: Migration) -> None:
    before, after = _STEPS.get(migration.version, (None, None))
    if before:
        before(clickhouse, settings)
    for statement in statements(migration.sql, settings):
        rows = clickhouse.durable() if statement.lstrip().startswith("INSERT") else {}
        clickhouse.query(statement, limits=_SETTINGS | rows)
    if after:
        after(clickhouse, settings)


def _sign(clickhouse: Clickhouse, settings: Settings, applied: Sequence[Migration]) -> None:
    """Record migrations with their checksums, on every shard."""
    rows = [(each.version, each.name, each.checksum, each.needs) for each in applied]
    if not rows:
        return
    columns = "(version, name, checksum, needs)"
    cluster = settings.clickhouse_cluster
    if not cluster:
        clickhouse.insert(f"INSERT INTO {TABLE} {columns} VALUES", rows)
        return
    asked = {"cluster": cluster, "database": clickhouse.database, "table": TABLE, "rows": rows}
    shards = clickhouse.query(
        "SELECT DISTINCT shard_num FROM system.clusters WHERE cluster = %(cluster)s", asked
    )
    for (shard,) in shards:
        clickhouse.query(
            f"INSERT INTO FUNCTION cluster(%(cluster)s, %(database)s, %(table)s) {columns} "  # noqa: S608 - bound
            "SELECT row.1, row.2, row.3, row.4 FROM (SELECT arrayJoin(%(rows)s) AS row)",
            asked,
            _SETTINGS | {"insert_shard_id": shard},
        )
