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


def declared_tables():
    found = {}
    files = [file.read_text(encoding="utf-8") for file in sorted(SCHEMA.glob("*.sql"))]
    for statement in ";\n".join(files).split(";\n"):
        if created := _TABLE.search(statement):
            partition = _PARTITION.search(statement)
            lines = [line.split() for line in created[2].splitlines() if line.strip()]
            columns = [words[0].strip("`") for words in lines if words[0] != "INDEX"]
            if partition:
                found[created[1]] = (columns, partition[1])
        elif added := _ADDED.search(statement):
            columns = found[added[1]][0]
            columns.insert(columns.index(added[3]) + 1, added[2])
    return found


DECLARED = declared_tables()


@pytest.mark.parametrize("signal", SIGNALS)
def test_the_columns_are_those_of_the_tables_in_their_order(signal):
    for table, rows in keep_late(decode(signal, [])).items():
        assert rows.schema.names == DECLARED[table][0]


def test_every_table_is_filled_by_one_signal():
    filled = [table for signal in SIGNALS for table in decode(signal, [])]
    assert sorted(filled) == sorted(DECLARED)


@pytest.mark.parametrize("table", DECLARED)
def test_the_time_column_is_the_one_that_the_table_is_partitioned_by(table):
    assert time_column(table) == DECLARED[table][1]
