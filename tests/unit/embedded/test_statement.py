"""What is read from a statement before the engine gets it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded import statement
from embedded.errors import ServerError


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        (b"SELECT 1", "select"),
        (b"  -- comment\n /* another */ select 1", "select"),
        (b"WITH 1 AS x SELECT x", "select"),
        (b"(SELECT 1)", "select"),
        (b"FROM t SELECT a", "select"),
        (b"insert into t values", "insert"),
        (b"KILL QUERY WHERE 1", "kill"),
        (b"KILL MUTATION WHERE 1", "other"),
        (b"SET a = 1", "session"),
        (b"USE db", "session"),
        (b"CREATE TEMPORARY TABLE t (a Int8)", "temporary"),
        (b"CREATE OR REPLACE TEMPORARY TABLE t (a Int8)", "temporary"),
        (b"CREATE TABLE t (a Int8)", "change"),
        (b"ALTER TABLE t ADD COLUMN a Int8", "change"),
        (b"ALTER TABLE t DELETE IN PARTITION 1 WHERE a", "change"),
        (b"ALTER TABLE t DROP COLUMN partition", "change"),
        (b"alter table t drop partition id '1'", "other"),
        (b"DELETE FROM t WHERE 1", "change"),
        (b"DROP TABLE t", "other"),
        (b"BACKUP TABLE t TO File('a')", "other"),
        (b"SHOW TABLES", "other"),
    ],
)
def test_the_first_words_tell_the_kind(sql, kind):
    assert statement.kind_of(sql) == kind


@pytest.mark.parametrize("sql", [b"", b"  ", b"-- nothing", b"/* nothing"])
def test_an_empty_statement_is_a_syntax_error(sql):
    with pytest.raises(ServerError) as caught:
        statement.kind_of(sql)
    assert caught.value.code == 62


@pytest.mark.parametrize(
    ("sql", "target", "columns", "settings", "form", "rows"),
    [
        (b"INSERT INTO t VALUES", b"t", None, b"", "Values", b""),
        (b"INSERT INTO t VALUES (1)", b"t", None, b"", "Values", b" (1)"),
        (b"insert t format CSV\n1,2\n", b"t", None, b"", "CSV", b"1,2\n"),
        (b"INSERT INTO t FORMAT TSV  \n\n1", b"t", None, b"", "TSV", b"\n1"),
        (b"INSERT INTO TABLE db.t (a, `b`) FORMAT CSV", b"db.t", b"a, `b`", b"", "CSV", b""),
        (
            b"INSERT INTO t (a) SETTINGS x = 1, y = 'FORMAT Z' FORMAT RowBinary \xff\xfe",
            b"t",
            b"a",
            b"SETTINGS x = 1, y = 'FORMAT Z'",
            "RowBinary",
            b"\xff\xfe",
        ),
        (
            b"INSERT INTO FUNCTION file('x', 'CSV', 'a Int8') VALUES",
            b"FUNCTION file('x', 'CSV', 'a Int8')",
            None,
            b"",
            "Values",
            b"",
        ),
        (
            b"INSERT INTO FUNCTION null('a Int8') (a) FORMAT CSV",
            b"FUNCTION null('a Int8')",
            b"a",
            b"",
            "CSV",
            b"",
        ),
        (b"INSERT INTO `values` FORMAT CSV", b"`values`", None, b"", "CSV", b""),
        (b"INSERT /* FORMAT X */ INTO t -- VALUES\n FORMAT CSV", b"t", None, b"", "CSV", b""),
        (b"INSERT INTO t (* EXCEPT (a)) VALUES", b"t", b"* EXCEPT (a)", b"", "Values", b""),
    ],
)
def test_an_insert_is_taken_apart(sql, target, columns, settings, form, rows):
    insert = statement.insert_of(sql)
    assert (insert.target, insert.columns, insert.settings) == (target, columns, settings)
    assert (insert.format, sql[insert.data :]) == (form, rows)


@pytest.mark.parametrize(
    "sql",
    [
        b"INSERT INTO t SELECT 1",
        b"INSERT INTO t (a) WITH 1 AS x SELECT x",
        b"INSERT INTO t FROM INFILE 'x' FORMAT CSV",
        b"INSERT INTO t",
        b"INSERT INTO t (a",
        b"INSERT INTO t FORMAT",
    ],
)
def test_an_insert_without_rows_of_its_own_is_the_engines(sql):
    assert statement.insert_of(sql) is None


@pytest.mark.parametrize(
    ("sql", "rest", "form"),
    [
        (b"SELECT 1 FORMAT CSV", b"SELECT 1  ", "CSV"),
        (b"SELECT 1 format Null SETTINGS a = 1", b"SELECT 1   SETTINGS a = 1", "Null"),
        (b"SELECT 1 -- FORMAT CSV", b"SELECT 1 -- FORMAT CSV", None),
        (b"SELECT 'FORMAT CSV'", b"SELECT 'FORMAT CSV'", None),
        (b"SELECT format('{}', 1)", b"SELECT format('{}', 1)", None),
        (b"SELECT a FROM (SELECT 1 FORMAT CSV)", b"SELECT a FROM (SELECT 1 FORMAT CSV)", None),
        (b"SELECT format FROM t", b"SELECT format FROM t", None),
    ],
)
def test_the_format_clause_is_taken_out(sql, rest, form):
    found, name = statement.without_format(sql)
    assert (found.strip(), name) == (rest.strip(), form)


@pytest.mark.parametrize(
    ("sql", "rest"),
    [
        (b"SELECT 1;", b"SELECT 1"),
        (b"SELECT 1 ; ; -- end", b"SELECT 1 "),
        (b"SELECT ';'", b"SELECT ';'"),
        (b"SELECT `;` -- ;", b"SELECT `;` -- ;"),
        (b"SELECT $x$;$x$", b"SELECT $x$;$x$"),
    ],
)
def test_one_statement_may_end_in_semicolons(sql, rest):
    assert statement.single(sql) == rest


def test_a_second_statement_is_a_syntax_error():
    with pytest.raises(ServerError, match="Multi-statements are not allowed"):
        statement.single(b"SELECT 1; SELECT 2")


@pytest.mark.parametrize(
    ("sql", "condition", "mode"),
    [
        (b"KILL QUERY WHERE query_id = 'x'", b"query_id = 'x'", "ASYNC"),
        (b"KILL QUERY WHERE query_id = 'x' SYNC", b"query_id = 'x'", "SYNC"),
        (b"kill query where user = 'SYNC' test format JSON", b"user = 'SYNC'", "TEST"),
        (b"KILL QUERY WHERE query_id IN ('a', 'b') ASYNC", b"query_id IN ('a', 'b')", "ASYNC"),
    ],
)
def test_a_kill_is_taken_apart(sql, condition, mode):
    kill = statement.kill_of(sql)
    assert (kill.condition, kill.mode) == (condition, mode)


@pytest.mark.parametrize("sql", [b"KILL QUERY", b"KILL QUERY WHERE", b"KILL QUERY SYNC"])
def test_a_kill_without_a_condition_is_a_syntax_error(sql):
    with pytest.raises(ServerError):
        statement.kill_of(sql)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (b"SELECT * FROM system.processes", b"SELECT * FROM (T)"),
        (b"select * from System . `processes` p", b"select * from (T) p"),
        (b"SELECT 'system.processes'", b"SELECT 'system.processes'"),
        (b"SELECT 1 -- system.processes", b"SELECT 1 -- system.processes"),
        (b"SELECT * FROM my_system.processes", b"SELECT * FROM my_system.processes"),
        (
            b"SELECT (SELECT count() FROM system.processes) FROM system.processes",
            b"SELECT (SELECT count() FROM (T)) FROM (T)",
        ),
    ],
)
def test_only_the_table_of_processes_is_replaced(sql, expected):
    assert statement.replace_processes(sql, b"(T)") == expected


@pytest.mark.parametrize(
    ("sql", "limit"),
    [
        (b"SET max_execution_time = 1.5", 1.5),
        (b"SETTINGS a = 1, max_execution_time='2'", 2.0),
        (b"SETTINGS max_execution_time = 'soon'", 0.0),
        (b"SETTINGS other = 'max_execution_time = 1'", None),
        (b"", None),
    ],
)
def test_a_time_limit_is_found(sql, limit):
    assert statement.time_limit(sql) == limit


@given(st.text())
def test_a_quoted_text_is_one_string_token(text):
    quoted = statement.quote(text.encode("utf-8", "replace").decode())
    assert [token.kind for token in statement.tokens(quoted)] == ["string"]


@given(st.binary(max_size=200))
def test_tokens_cover_any_bytes_in_order(sql):
    end = 0
    for token in statement.tokens(sql):
        assert end <= token.start < token.end
        end = token.end
    assert end <= len(sql)
