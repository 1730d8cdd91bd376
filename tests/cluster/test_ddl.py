"""What is known about a statement before it goes to the hosts of a cluster."""

import pytest

from tests.cluster.ddl import table_of, without_cluster


@pytest.mark.parametrize(
    ("sql", "plain"),
    [
        (b"CREATE TABLE t ON CLUSTER c (x UInt8)", b"CREATE TABLE t  (x UInt8)"),
        (b"create table t on cluster `c` AS s", b"create table t  AS s"),
        (b"KILL QUERY ON CLUSTER 'c' WHERE 1 SYNC", b"KILL QUERY  WHERE 1 SYNC"),
        (b"SELECT 'ON CLUSTER c'", None),
        (b"SELECT 1 FROM (SELECT 1 ON CLUSTER c)", None),
        (b"SELECT cluster ON x", None),
    ],
)
def test_on_cluster_is_found_outside_of_strings_and_parentheses(sql, plain):
    assert without_cluster(sql) == plain


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        (b"ALTER TABLE logs DELETE WHERE 1", ["logs"]),
        (b'ALTER TABLE `a b`."logs" ADD COLUMN x UInt8', ["a b", "logs"]),
        (b"TRUNCATE TABLE IF EXISTS logs", ["logs"]),
        (b"TRUNCATE logs", ["logs"]),
        (b"OPTIMIZE TABLE default.logs FINAL", ["default", "logs"]),
    ],
)
def test_the_table_of_a_statement_is_found(sql, names):
    assert table_of(sql) == names
