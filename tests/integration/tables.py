"""Statements that change tables as a whole, on one server or on a cluster."""


def whole(clickhouse, table):
    """A table as TRUNCATE, ALTER and OPTIMIZE TABLE name it.

    On a cluster the rows are in `name_local`, on all of its servers.
    """
    cluster = clickhouse._settings.clickhouse_cluster
    return f"`{table}_local` ON CLUSTER `{cluster}`" if cluster else f"`{table}`"


def truncate(clickhouse, table):
    """Empty a table, on a cluster in all of its replicas."""
    clickhouse.query(f"TRUNCATE TABLE {whole(clickhouse, table)}", {}, {"alter_sync": 2})
