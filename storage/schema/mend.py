"""Makes tables that earlier texts of the first three migrations created as they create them now."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from config.settings import Settings
from storage.clickhouse.client import Clickhouse
from storage.schema.fronts import on_cluster
from storage.schema.move import move

_TIME = {
    "otel_logs": "Timestamp",
    "otel_traces": "Timestamp",
    "otel_traces_trace_id_ts": "Start",
    "otel_metrics_gauge": "TimeUnix",
    "otel_metrics_sum": "TimeUnix",
    "otel_metrics_histogram": "TimeUnix",
    "otel_metrics_exponential_histogram": "TimeUnix",
    "otel_metrics_summary": "TimeUnix",
}

_LOGS = "otel_logs"
_LOOK_UP = "otel_traces_trace_id_ts"

_GRANULARITY = "2048"

# Of `otel_logs`, after the index of their names' left sides.
_INDEXES = {
    "idx_log_attr_value": ("mapValues(LogAttributes)", "idx_trace_id"),
    "idx_res_attr_value": ("mapValues(ResourceAttributes)", "idx_log_attr_value"),
}

_NAMED_VALUES = ("ResourceAttributes", "ScopeAttributes")
_FEW_VALUES = "Map(LowCardinality(String), LowCardinality(String))"

_SETTING = re.compile(r"(\w+) = ('[^']*'|[^,\s]+)")


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it is."""

    name: str
    place: str
    """Its name on the server, with `ON CLUSTER` if there is one."""
    create: str

    @property
    def settings(self) -> dict[str, str]:
        """Its settings, in their order."""
        _, _, clause = self.create.rpartition(" SETTINGS ")
        return dict(_SETTING.findall(clause))


def mend_tables(clickhouse: Clickhouse, settings: Settings) -> None:
    """Give each table the indexes, compression, settings and granularity that new ones have.

    On a cluster the granularity of `otel_logs` stays, which costs only speed.

    Raises:
        StorageError: ClickHouse is away, or refused a statement.
        TimeoutError: inserts or mutations of `otel_logs` did not end.
    """
    suffix = "_local" if settings.clickhouse_cluster else ""
    for name in _TIME:
        [(create,)] = clickhouse.query(f"SHOW CREATE TABLE {name}{suffix}")
        table = Table(name, f"{name}{suffix} {on_cluster(settings)}", " ".join(create.split()))
        for change in _changes(table, _codecs(clickhouse, name + suffix)):
            clickhouse.query(f"ALTER TABLE {table.place} {change}")
    if not settings.clickhouse_cluster:
        _mend_granularity(clickhouse)
    _mend_types(clickhouse, settings, f"{_LOGS}{suffix}")


def _mend_types(clickhouse: Clickhouse, settings: Settings, place: str) -> None:
    """Last, since this rewrites columns of all parts, which queries need not wait for."""
    found = clickhouse.query(
        "SELECT name FROM system.columns WHERE database = currentDatabase() "
        "AND table = %(table)s AND name IN %(names)s AND type != %(type)s ORDER BY position",
        {"table": place, "names": _NAMED_VALUES, "type": _FEW_VALUES},
    )
    if found:
        changes = ", ".join(f"MODIFY COLUMN {name} {_FEW_VALUES}" for (name,) in found)
        clickhouse.query(
            f"ALTER TABLE {place} {on_cluster(settings)} {changes} SETTINGS alter_sync = 0"
        )


def _mend_granularity(clickhouse: Clickhouse) -> None:
    [(create,)] = clickhouse.query(f"SHOW CREATE TABLE {_LOGS}")
    table = Table(_LOGS, _LOGS, create)
    if table.settings["index_granularity"] != _GRANULARITY:
        columns, _, _ = create[create.index("(") :].rpartition("SETTINGS")
        wanted = {"index_granularity": _GRANULARITY} | _wanted(table)
        move(clickhouse, _LOGS, f"{columns} SETTINGS {_clause(wanted)}")


def _codecs(clickhouse: Clickhouse, place: str) -> list[tuple[str, str]]:
    """The columns that are always compressed with effort, and their codecs."""
    return clickhouse.query(
        "SELECT name, compression_codec FROM system.columns "
        "WHERE database = currentDatabase() AND table = %(table)s "
        "AND endsWith(compression_codec, 'ZSTD(1))') ORDER BY position",
        {"table": place},
    )


def _changes(table: Table, codecs: list[tuple[str, str]]) -> Iterator[str]:
    """What an ALTER must change, in order."""
    if table.name == _LOGS:
        for index, (values, after) in _INDEXES.items():
            if f"INDEX {index} " not in table.create:
                kind = "TYPE bloom_filter(0.01) GRANULARITY 1"
                yield f"ADD INDEX IF NOT EXISTS {index} {values} {kind} AFTER {after}"
    # Merges choose the compression: light at first, with effort for rows that stay.
    if codecs:
        yield ", ".join(f"MODIFY COLUMN `{name}` {_light(codec)}" for name, codec in codecs)
    if " RECOMPRESS " not in table.create:
        yield f"MODIFY TTL {_ttl(_TIME[table.name])} SETTINGS materialize_ttl_after_modify = 0"
    wanted = _wanted(table)
    if {**table.settings, "index_granularity": ""} != {**wanted, "index_granularity": ""} or (
        _order(table.settings) != _order(wanted)
    ):
        names = (set(table.settings) | set(wanted)) - {"index_granularity"}
        yield f"RESET SETTING {', '.join(sorted(names))}"
        yield f"MODIFY SETTING {_clause(wanted)}"


def _light(codec: str) -> str:
    first = codec.removeprefix("CODEC(").removesuffix("ZSTD(1))")
    return f"CODEC({first}Default)" if first else "REMOVE CODEC"


def _ttl(column: str) -> str:
    return (
        f"if(RetentionDays = 0 OR toDate32({column}, 'UTC') >= toDate32('2090-01-01'), "
        f"toDate('2105-12-31'), toDate({column}, 'UTC') + toIntervalDay(RetentionDays)), "
        f"toDateTime({column}, 'UTC') + toIntervalSecond(5) RECOMPRESS CODEC(ZSTD(1))"
    )


def _wanted(table: Table) -> dict[str, str]:
    """The settings of a new table, in their order, but for its granularity."""
    is_large = table.name != _LOOK_UP
    wanted = {"min_compress_block_size": "16384"} if table.name == _LOGS else {}
    wanted |= {
        "ttl_only_drop_parts": "1",
        "min_bytes_for_wide_part": "8388608" if is_large else "134217728",
    }
    # FSYNC_PARTS decided when the table was created.
    wanted |= {
        name: table.settings[name] for name in ("fsync_after_insert", "fsync_part_directory")
    }
    if is_large:
        wanted |= {
            "min_level_for_wide_part": "1",
            "vertical_merge_algorithm_min_rows_to_activate": "1",
            "merge_selector_base": "8",
        }
    return wanted | {"string_serialization_version": "'single_stream'"}


def _order(settings: Mapping[str, str]) -> list[str]:
    return [name for name in settings if name != "index_granularity"]


def _clause(settings: Mapping[str, str]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in settings.items())
