"""The native protocol of the built-in ClickHouse, with clickhouse-driver."""

import datetime as dt
import ipaddress
import socket
import sys
import threading
import types
import uuid
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
import zstandard
from clickhouse_driver.errors import ErrorCodes, NetworkError, ServerException

pytestmark = pytest.mark.integration

UTC = dt.UTC

COLUMNS = [
    ("Int8", [-128, 127]),
    ("UInt64", [0, 2**64 - 1]),
    ("Int128", [-(2**127), 5]),
    ("UInt256", [2**256 - 1, 0]),
    ("Float32", [0.5, -2.25]),
    ("Float64", [1e300, -0.1]),
    ("Bool", [True, False]),
    ("String", ["", "päivää\n\t\0"]),
    ("FixedString(4)", ["abcd", "efgh"]),
    ("Date", [dt.date(1970, 1, 1), dt.date(2149, 6, 6)]),
    ("Date32", [dt.date(1925, 1, 1), dt.date(2283, 11, 11)]),
    ("DateTime", [dt.datetime(2026, 1, 2, 3, 4, 5), dt.datetime(2106, 2, 7)]),  # noqa: DTZ001 - as the driver gives them
    ("DateTime64(6, 'Asia/Tokyo')", [dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)] * 2),
    ("Decimal(9, 2)", [Decimal("1.25"), Decimal("-9999999.99")]),
    ("Decimal(18, 4)", [Decimal("1.2500"), Decimal("0.0001")]),
    ("Decimal(38, 10)", [Decimal("1.0000000001"), Decimal("-5.0000000000")]),
    ("UUID", [uuid.UUID(int=1), uuid.UUID(int=2**128 - 1)]),
    ("IPv4", [ipaddress.IPv4Address("1.2.3.4"), ipaddress.IPv4Address("255.255.255.255")]),
    ("IPv6", [ipaddress.IPv6Address("::1"), ipaddress.IPv6Address("2001:db8::5")]),
    ("Enum8('a' = 1, 'it\\'s, (b)' = -2)", ["a", "it's, (b)"]),
    ("Enum16('x' = 1000)", ["x", "x"]),
    ("Nullable(Int32)", [None, 7]),
    ("Nullable(String)", ["", None]),
    ("LowCardinality(String)", ["same", "same"]),
    ("LowCardinality(Nullable(String))", [None, "x"]),
    ("Array(Array(Nullable(Int16)))", [[[1, None], []], []]),
    ("Array(LowCardinality(String))", [["a", "b", "a"], []]),
    ("Map(String, UInt8)", [{"a": 1}, {}]),
    ("Map(LowCardinality(String), String)", [{"a": "1", "b": "2"}, {}]),
    ("Map(String, Array(Map(String, Int8)))", [{"a": [{"b": 1}, {}]}, {}]),
    ("Tuple(Int8, String)", [(1, "a"), (2, "b")]),
    ("Tuple(LowCardinality(String), LowCardinality(String))", [("a", "b"), ("c", "d")]),
    ("SimpleAggregateFunction(sum, UInt64)", [1, 2]),
    ("Point", [(1.0, 2.0), (0.0, -1.0)]),
]


def code_of(client, sql, *arguments, **options):
    with pytest.raises(ServerException) as caught:
        client.execute(sql, *arguments, **options)
    return caught.value.code


@pytest.mark.parametrize("compression", [False, "lz4", "lz4hc"])
@pytest.mark.parametrize(("kind", "values"), COLUMNS, ids=[kind for kind, _ in COLUMNS])
def test_values_of_every_type_come_back_as_they_were_inserted(
    embedded_server, database, kind, values, compression
):
    with embedded_server.client(database=database, compression=compression) as client:
        client.execute(f"CREATE TABLE t (n UInt8, v {kind}) ENGINE = MergeTree ORDER BY n")
        assert client.execute("INSERT INTO t VALUES", list(enumerate(values))) == len(values)
        rows, columns = client.execute("SELECT v FROM t ORDER BY n", with_column_types=True)
        assert [value for (value,) in rows] == values
        assert columns[0][0] == "v"


def test_zstd_is_spoken_with_a_client_that_asks_for_it(embedded_server, database, monkeypatch):
    module = types.ModuleType("zstd")
    module.compress = zstandard.compress
    module.decompress = zstandard.decompress
    monkeypatch.setitem(sys.modules, "zstd", module)
    settings = {"network_compression_method": "ZSTD"}

    with embedded_server.client(database=database, compression="zstd", settings=settings) as client:
        client.execute("CREATE TABLE t (v String) ENGINE = Memory")
        client.execute("INSERT INTO t VALUES", [("x" * 100_000,)])
        assert client.execute("SELECT v FROM t") == [("x" * 100_000,)]


def test_an_empty_result_still_names_its_columns(client):
    sql = "SELECT number AS n, toString(n) AS s FROM numbers(3) WHERE n > 5"
    assert client.execute(sql, with_column_types=True) == ([], [("n", "UInt64"), ("s", "String")])


def test_a_big_result_is_streamed_whole_and_in_order(client):
    rows = client.execute_iter("SELECT number FROM numbers(3000000) ORDER BY number")
    assert all(number == expected for expected, (number,) in enumerate(rows))
    assert client.execute("SELECT 1") == [(1,)]


def test_rows_of_many_columns_are_inserted_from_python(client):
    client.execute(
        "CREATE TABLE t (a UInt32, m Map(LowCardinality(String), String), "
        "l Array(Nullable(String)), c LowCardinality(String) DEFAULT 'none', "
        "x UInt32 MATERIALIZED a + 1, y UInt32 ALIAS a + 2) ENGINE = MergeTree ORDER BY a"
    )
    rows = [(n, {"k": str(n)}, ["a", None][: n % 3], f"c{n % 5}") for n in range(50_000)]

    assert client.execute("INSERT INTO t VALUES", rows) == 50_000
    assert client.execute("SELECT * FROM t ORDER BY a") == rows

    client.execute("INSERT INTO t (`m`, a) VALUES", [({"z": "z"}, 99_999)])
    found = client.execute("SELECT c, m, x, y FROM t WHERE a = 99999")
    assert found == [("none", {"z": "z"}, 100_000, 100_001)]

    client.execute("INSERT INTO t (* EXCEPT (m, l)) VALUES", [(5, "only")])
    assert client.execute("SELECT count() FROM t WHERE c = 'only'") == [(1,)]


def test_values_in_the_statement_itself_are_inserted(client):
    client.execute("CREATE TABLE t (a UInt32, s String) ENGINE = MergeTree ORDER BY a")
    client.execute("INSERT INTO t VALUES (1, 'VALUES (2)'), (3, 'x;y');")
    client.execute("INSERT INTO t (s, a) SELECT 'sel', 4")
    assert client.execute("SELECT * FROM t ORDER BY a") == [
        (1, "VALUES (2)"),
        (3, "x;y"),
        (4, "sel"),
    ]


def test_parameters_are_put_in_by_the_driver(client):
    sql = "SELECT %(s)s, %(n)s, %(l)s"
    values = {"s": "it's \\ %", "n": 5, "l": [1, 2]}
    assert client.execute(sql, values) == [("it's \\ %", 5, [1, 2])]


def test_a_querys_settings_last_for_that_query_alone(client):
    setting = "SELECT getSetting('max_block_size')"
    before = client.execute(setting)
    assert client.execute(setting, settings={"max_block_size": 77}) == [(77,)]
    assert client.execute(setting) == before
    assert client.execute(
        f"{setting} SETTINGS max_block_size = 78", settings={"max_threads": 1}
    ) == [(78,)]


def test_settings_apply_to_inserts_and_ddl_too(client):
    sql = "CREATE TABLE t (a Int128) ENGINE = MergeTree ORDER BY a SETTINGS index_granularity = 7"
    client.execute(sql, settings={"max_threads": 1})
    client.execute("INSERT INTO t SETTINGS max_threads = 1 VALUES", [(5,)])
    assert code_of(client, "INSERT INTO t VALUES", [(5,)], settings={"nonsense": 1}) == 115
    assert code_of(client, "INSERT INTO t SETTINGS nonsense = 1 VALUES", [(5,)]) == 115
    assert code_of(client, "SELECT 1", settings={"nonsense": 1}) == 115
    assert client.execute("SELECT * FROM t") == [(5,)]


def test_a_reader_that_is_readonly_can_only_read(client):
    client.execute("CREATE TABLE t (a Int8) ENGINE = Memory")
    readonly = {"readonly": 1, "max_threads": 1}
    assert client.execute("SELECT count() FROM t", settings=readonly) == [(0,)]
    assert code_of(client, "DROP TABLE t", settings=readonly) == 164
    assert code_of(client, "INSERT INTO t VALUES", [(1,)], settings=readonly) == 164
    assert code_of(client, "SELECT 1 SETTINGS max_threads = 2", settings=readonly) == 164

    client.execute("INSERT INTO t VALUES", [(1,)])


def test_set_use_and_temporary_tables_last_in_one_session_and_no_other(
    embedded_server, client, database
):
    client.execute("SET max_block_size = 1234")
    client.execute("CREATE TEMPORARY TABLE mine (a Int8)")
    client.execute("INSERT INTO mine VALUES", [(1,)], settings={"max_threads": 1})
    sql = "SELECT getSetting('max_block_size'), getSetting('max_threads') = 3, count() FROM mine"

    assert client.execute(sql, settings={"max_threads": 3}) == [(1234, 1, 1)]
    assert client.execute(sql) == [(1234, 0, 1)]

    client.execute("USE system")
    assert client.execute("SELECT currentDatabase()", settings={"max_threads": 1}) == [("system",)]
    with embedded_server.client(database=database) as other:
        assert other.execute("SELECT currentDatabase()") == [(database,)]
        assert other.execute("SELECT getSetting('max_block_size') != 1234") == [(1,)]
        assert code_of(other, "SELECT * FROM mine") == 60


def test_set_and_use_hold_for_queries_with_settings_of_their_own(client):
    client.execute("SET max_block_size = 1234")
    client.execute("USE system")
    sql = "SELECT getSetting('max_block_size'), currentDatabase()"
    assert client.execute(sql, settings={"max_threads": 1}) == [(1234, "system")]


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELEC 1", ErrorCodes.SYNTAX_ERROR),
        ("SELECT * FROM nowhere", ErrorCodes.UNKNOWN_TABLE),
        ("SELECT nothing", ErrorCodes.UNKNOWN_IDENTIFIER),
        ("SELECT * FROM nodb.t", ErrorCodes.UNKNOWN_DATABASE),
        ("SELECT throwIf(number = 2) FROM numbers(3)", 395),
        ("SELECT throwIf(number = 2000000) FROM numbers(3000000)", 395),
        ("SELECT 1; SELECT 2", ErrorCodes.SYNTAX_ERROR),
        ("", ErrorCodes.SYNTAX_ERROR),
        ("-- nothing but a comment", ErrorCodes.SYNTAX_ERROR),
        ("CREATE TABLE t (a Wrong) ENGINE = Memory", ErrorCodes.UNKNOWN_TYPE),
        ("KILL QUERY", ErrorCodes.SYNTAX_ERROR),
        ("SELECT 1 INTO OUTFILE '/tmp/x'", ErrorCodes.NOT_IMPLEMENTED),
        ("SELECT 1 SETTINGS max_execution_time = 'soon'", 72),
    ],
)
def test_errors_have_clickhouses_codes_and_the_session_goes_on(client, sql, code):
    assert code_of(client, sql) == code
    assert client.execute("SELECT 1") == [(1,)]


def test_an_error_whose_text_is_not_utf8_has_its_code_and_the_session_goes_on(client):
    assert code_of(client, r"SELECT throwIf(1, '\xFF is wrong')") == 395
    assert code_of(client, r"SELECT toInt8('\xFF')") == 6
    assert client.execute("SELECT 1") == [(1,)]


def test_an_error_tells_the_name_of_its_code(client):
    with pytest.raises(ServerException, match=r"\(UNKNOWN_TABLE\)"):
        client.execute("SELECT * FROM nowhere")


@pytest.mark.parametrize("closing", [";", " ; ", "\n-- done\n", " FORMAT CSV", " format Null;"])
def test_a_select_may_end_in_what_native_clients_do_not_need(client, closing):
    assert client.execute(f"SELECT 1{closing}") == [(1,)]


@pytest.mark.parametrize(
    ("sql", "first"),
    [
        ("SHOW TABLES FROM system LIKE 'one'", ("one",)),
        ("DESCRIBE TABLE system.one", ("dummy", "UInt8", "", "", "", "", "")),
        ("EXISTS TABLE system.one", (1,)),
        ("WITH 5 AS x SELECT x", (5,)),
        ("(SELECT 1) UNION ALL (SELECT 1)", (1,)),
        ("FROM numbers(1) SELECT number", (0,)),
        ("/* a comment */ SELECT 1", (1,)),
    ],
)
def test_statements_that_are_no_plain_select_answer_too(client, sql, first):
    assert client.execute(sql)[0] == first


def test_a_wrong_password_is_refused_with_516(embedded_server):
    client = embedded_server.client()
    client.connection.password = "wrong"
    assert code_of(client, "SELECT 1") == 516


def test_a_user_that_does_not_exist_is_refused_the_same(embedded_server):
    with embedded_server.client(user="nobody") as client:
        assert code_of(client, "SELECT 1") == 516


def test_a_database_that_does_not_exist_is_refused_with_81(embedded_server):
    with embedded_server.client(database="nodb") as client:
        assert code_of(client, "SELECT 1") == ErrorCodes.UNKNOWN_DATABASE == 81


def test_an_insert_that_the_table_refuses_stores_nothing_and_the_session_goes_on(client):
    client.execute("CREATE TABLE t (a UInt8, CONSTRAINT small CHECK a < 10) ENGINE = Memory")
    rows = [(n,) for n in range(11)]
    assert code_of(client, "INSERT INTO t VALUES", rows) == 469
    assert client.execute("SELECT count() FROM t") == [(0,)]
    assert code_of(client, "INSERT INTO nowhere VALUES", rows) == ErrorCodes.UNKNOWN_TABLE


def test_ping_is_answered(client):
    client.execute("SELECT 1")
    assert client.connection.ping() is True


def test_cancel_stops_the_running_query(client, embedded_server, wait_until):
    rows = client.execute_iter(
        "SELECT number, sipHash64(number) FROM numbers(100000000000)", query_id="long-read"
    )
    next(rows)
    client.cancel()
    with embedded_server.client() as other:
        sql = "SELECT count() FROM system.processes WHERE query_id = 'long-read'"
        wait_until(lambda: other.execute(sql) == [(0,)])


def test_a_client_that_hangs_up_stops_its_query(embedded_server, wait_until):
    reader = embedded_server.client()
    reader.execute("SELECT 1")
    running = "SELECT count() FROM system.processes WHERE query_id = 'abandoned'"

    def read():
        with pytest.raises((EOFError, OSError)):
            reader.execute(
                "SELECT sum(sipHash64(number)) FROM numbers(100000000000)", query_id="abandoned"
            )

    with embedded_server.client() as other, ThreadPoolExecutor(1) as pool:
        done = pool.submit(read)
        wait_until(lambda: other.execute(running) == [(1,)])
        reader.connection.socket.shutdown(socket.SHUT_RDWR)
        wait_until(lambda: other.execute(running) == [(0,)])
        done.result()


def test_fifty_clients_read_and_write_at_once(embedded_server, client, database):
    client.execute("CREATE TABLE t (who UInt32, n UInt32) ENGINE = MergeTree ORDER BY who")
    together = threading.Barrier(50)

    def work(who):
        with embedded_server.client(database=database) as mine:
            mine.execute("SELECT 1")
            together.wait(60)
            mine.execute("INSERT INTO t VALUES", [(who, n) for n in range(100)])
            return mine.execute("SELECT count(), sum(n) FROM t WHERE who = %(who)s", {"who": who})

    with ThreadPoolExecutor(50) as pool:
        assert list(pool.map(work, range(50))) == [[(100, 4950)]] * 50
    assert client.execute("SELECT count() FROM t") == [(5000,)]


def test_progress_and_profile_tell_what_was_read(client):
    client.execute("CREATE TABLE t (a UInt32) ENGINE = MergeTree ORDER BY a")
    client.execute("INSERT INTO t SELECT number FROM numbers(100000)")
    client.execute("SELECT a FROM t WHERE a % 2 = 0")
    # The engine may report the last rows only after the answer has ended.
    assert 50_000 <= client.last_query.progress.rows <= 100_000
    assert client.last_query.profile_info.rows == 50_000


def test_the_time_zone_is_utc_wherever_the_machine_is(new_embedded_server, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    server = new_embedded_server().start()
    with server.client() as client:
        assert client.execute("SELECT timezone(), serverTimezone()") == [("UTC", "UTC")]
    assert server.stop() == 0


def test_a_time_limit_ends_a_read_with_159(client):
    sql = "SELECT sum(sipHash64(number)) FROM numbers(100000000000)"
    assert code_of(client, sql, settings={"max_execution_time": 1}) == 159
    assert code_of(client, f"{sql} SETTINGS max_execution_time = 1") == 159


def test_connecting_to_a_port_that_is_closed_is_a_network_error(embedded_server, free_port):
    client = embedded_server.client()
    client.connection.hosts[0] = ("127.0.0.1", free_port())
    with pytest.raises(NetworkError):
        client.execute("SELECT 1")
