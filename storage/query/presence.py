"""Whether a workspace has any records at all."""

from config.settings import Settings
from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse
from storage.decode.metric_tables import TABLES
from storage.query.traces.search import TABLE as SPANS

_TABLES = ("otel_logs", SPANS, *TABLES.values())


def has_records(clickhouse: Clickhouse, settings: Settings, workspace_id: str) -> bool:
    """Whether any log record, span or data point of the workspace is stored.

    Raises:
        StorageError: ClickHouse does not answer.
    """
    each = (f"(SELECT 1 FROM {name} WHERE WorkspaceId = %(workspace)s LIMIT 1)" for name in _TABLES)  # noqa: S608 - names of our own tables
    found = clickhouse.query(
        f"SELECT 1 FROM ({' UNION ALL '.join(each)}) LIMIT 1",  # noqa: S608 - as above
        {"workspace": workspace_id},
        Budget(settings).limits(),
    )
    return bool(found)
