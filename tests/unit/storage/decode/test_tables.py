import re
from pathlib import Path

import pytest

from storage.decode import SIGNALS, decode, time_column

SCHEMA = Path(__file__).parents[4] / "storage" / "schema"
_TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+)\$\{local\}.*?\n\(\n(.*?)\n\)\n", re.DOTALL)
_PARTITION = re.compile(r"^PARTITION BY \(toDate32\((\w+), 'UTC'\), RetentionDays\)$", re.MULTILINE)


def declared_tables():
    found = {}
    for file in sorted(SCHEMA.glob("*_otel_*.sql")):
        for statement in file.read_text(encoding="utf-8").split(";\n"):
            name, body = _TABLE.search(statement).groups()
            lines = [line.split() for line in body.splitlines() if line.strip()]
            columns = [words[0].strip("`") for words in lines if words[0] != "INDEX"]
            found[name] = (columns, _PARTITION.search(statement)[1])
    return found


DECLARED = declared_tables()


@pytest.mark.parametrize("signal", SIGNALS)
def test_the_columns_are_those_of_the_tables_in_their_order(signal):
    for table, rows in decode(signal, []).items():
        assert rows.schema.names == DECLARED[table][0]


def test_every_table_is_filled_by_one_signal():
    filled = [table for signal in SIGNALS for table in decode(signal, [])]
    assert sorted(filled) == sorted(DECLARED)


@pytest.mark.parametrize("table", DECLARED)
def test_the_time_column_is_the_one_that_the_table_is_partitioned_by(table):
    assert time_column(table) == DECLARED[table][1]
