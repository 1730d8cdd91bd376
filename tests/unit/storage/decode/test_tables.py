import re
from pathlib import Path

import pytest

from storage.decode import SIGNALS, decode, keep_late, time_column

SCHEMA = Path(__file__).parents[4] / "storage" / "schema"
_TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+)\$\{local\}.*?\n\(\n(.*?)\n\)\n", re.DOTALL)
_ADDED = re.compile(
    r"ALTER TABLE (\w+)\$\{local\} .*ADD COLUMN IF NOT EXISTS (\w+) \w+ AFTER (\w+)", re.DOTALL
)
_PARTITION = re.compile(r"^PARTITION BY \(toDate32\((\w+), 'UTC'\), RetentionDays\)$", re.MULTILINE)


def statements():
    for file in sorted(SCHEMA.glob("*.sql")):
        yield from file.read_text(encoding="utf-8").split(";\n")


def declared_tables():
    """The columns of each table in their order, and the column that it is partitioned by."""
    found = {}
    for statement in statements():
        created, partition = _TABLE.search(statement), _PARTITION.search(statement)
        if created and partition:
            table, body = created.groups()
            lines = [line.split() for line in body.splitlines() if line.strip()]
            columns = [words[0].strip("`") for words in lines if words[0] != "INDEX"]
            found[table] = (columns, partition[1])

        added = _ADDED.search(statement)
        if added:
            table, column, before = added.groups()
            columns, _ = found[table]
            columns.insert(columns.index(before) + 1, column)
    return found


DECLARED = declared_tables()


@pytest.mark.parametrize("signal", SIGNALS)
def test_the_columns_are_those_of_the_tables_in_their_order(signal):
    for table, rows in keep_late(decode(signal, [])).items():
        columns, _ = DECLARED[table]
        assert rows.schema.names == columns


def test_every_table_is_filled_by_one_signal():
    filled = [table for signal in SIGNALS for table in decode(signal, [])]
    assert sorted(filled) == sorted(DECLARED)


@pytest.mark.parametrize("table", DECLARED)
def test_the_time_column_is_the_one_that_the_table_is_partitioned_by(table):
    _, partitioned_by = DECLARED[table]
    assert time_column(table) == partitioned_by
