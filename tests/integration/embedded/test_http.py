"""The HTTP interface of the built-in ClickHouse, with curl and http.client."""

import base64
import gzip
import http.client
import json
import socket
import subprocess
from functools import partial

import lz4.frame
import pyarrow as pa
import pytest
import zstandard

pytestmark = pytest.mark.integration

CSV = b"1,a\n2,b\n3,c\n"


@pytest.fixture
def table(client, database):
    client.execute("CREATE TABLE t (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
    return f"{database}.t"


@pytest.fixture
def curl(require, embedded_server):
    """Run curl against the server; returns the body and the status code."""
    program = require("curl")

    def run(*arguments, url="/", stdin=b""):
        command = [program, "-sS", "-w", "\n%{http_code}", *arguments]
        command += ["-H", "X-ClickHouse-User: default", "-H", "X-ClickHouse-Key: sesame"]
        command += [f"http://127.0.0.1:{embedded_server.http_port}{url}"]
        done = subprocess.run(command, input=stdin, capture_output=True, check=True, timeout=60)
        body, _, status = done.stdout.rpartition(b"\n")
        return body, int(status)

    return run


def numbers(count):
    """One number a line, as in TabSeparated and CSV."""
    return b"".join(b"%d\n" % number for number in range(count))


def row_binary(number, letter):
    """A row of a UInt64 and a String of one letter."""
    return number.to_bytes(8, "little") + b"\x01" + letter


def in_two(compress, body):
    """A body as two compressed parts, one after the other."""
    return compress(body[:8]) + compress(body[8:])


def arrow(*batches):
    """Record batches as an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def rows_of(client):
    return client.execute("SELECT * FROM t ORDER BY a")


def test_ping_needs_no_password(embedded_server):
    for path in ("/ping", "/"):
        connection = http.client.HTTPConnection("127.0.0.1", embedded_server.http_port)
        connection.request("GET", path)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"Ok.\n")
        connection.close()


def test_a_path_that_is_none_is_not_found(embedded_server):
    status, _, _ = embedded_server.http(path="/nonsense")
    assert status == 404


def test_a_query_may_stand_in_the_url_or_in_the_body_or_in_both(curl):
    assert curl(url="/?query=SELECT%201") == (b"1\n", 200)
    assert curl("-d", "SELECT 2") == (b"2\n", 200)
    assert curl("-d", "number FROM numbers(2)", url="/?query=SELECT") == (b"0\n1\n", 200)


def test_the_format_is_the_querys_or_the_default_or_tab_separated(embedded_server):
    status, headers, body = embedded_server.http("SELECT 1 AS x FORMAT JSONEachRow")
    assert (status, body) == (200, b'{"x":1}\n')
    assert headers["X-ClickHouse-Format"] == "JSONEachRow"

    _, headers, body = embedded_server.http("SELECT 1 AS x", default_format="JSON")
    assert json.loads(body)["data"] == [{"x": 1}]
    assert headers["Content-Type"].startswith("application/json")

    _, _, body = embedded_server.http("SELECT 'a\\tb'")
    assert body == b"a\\tb\n"


@pytest.mark.parametrize(
    ("form", "check"),
    [
        ("ArrowStream", lambda body: pa.ipc.open_stream(body).read_all().num_rows),
        ("JSON", lambda body: json.loads(body)["rows"]),
        ("JSONEachRow", lambda body: len(body.splitlines())),
        ("CSVWithNames", lambda body: len(body.splitlines()) - 1),
        ("RowBinary", lambda body: len(body) // 8),
    ],
)
def test_a_big_result_is_one_well_formed_document(embedded_server, form, check):
    _, _, body = embedded_server.http(f"SELECT number FROM numbers(300000) FORMAT {form}")
    assert check(body) == 300_000


def test_a_streamed_result_is_chunked_and_whole(curl):
    body, status = curl(url="/?query=SELECT+number+FROM+numbers(500000)")
    assert status == 200
    assert body == numbers(500_000)


def test_a_client_of_http_1_0_gets_a_big_result_without_chunks(embedded_server):
    request = b"GET /?password=sesame&query=SELECT+number+FROM+numbers(200000) HTTP/1.0\r\n\r\n"
    with socket.create_connection(("127.0.0.1", embedded_server.http_port)) as connection:
        connection.sendall(request)
        with connection.makefile("rb") as answer:
            _, _, body = answer.read().partition(b"\r\n\r\n")
    assert body == numbers(200_000)


def test_settings_and_parameters_come_in_the_url(embedded_server):
    _, _, body = embedded_server.http(
        "SELECT {name:String}, {ids:Array(UInt8)}, getSetting('max_block_size')",
        param_name="it's",
        param_ids="[1,2]",
        max_block_size=77,
    )

    assert body == b"it\\'s\t[1,2]\t77\n"

    status, headers, _ = embedded_server.http("SELECT 1", nonsense=1)
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (404, "115")


def test_the_database_comes_in_the_url_or_in_a_header(embedded_server, database):
    sql = "SELECT currentDatabase()"
    assert embedded_server.http(sql, database=database)[2] == f"{database}\n".encode()
    headers = {"X-ClickHouse-Database": database}
    assert embedded_server.http(sql, headers=headers)[2] == f"{database}\n".encode()
    status, headers, _ = embedded_server.http(sql, database="nodb")
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (404, "81")


@pytest.mark.parametrize(
    "credentials",
    [
        {"headers": {"X-ClickHouse-User": "default", "X-ClickHouse-Key": "sesame"}},
        {"headers": {"Authorization": "Basic " + base64.b64encode(b"default:sesame").decode()}},
        {"user": "default", "password": "sesame"},
        {"password": "sesame"},
    ],
)
def test_credentials_come_in_headers_or_in_the_url(embedded_server, credentials):
    connection = http.client.HTTPConnection("127.0.0.1", embedded_server.http_port)
    url = "&".join(f"{name}={text}" for name, text in credentials.items() if name != "headers")
    connection.request("GET", f"/?query=SELECT+1&{url}", headers=credentials.get("headers", {}))
    assert connection.getresponse().read() == b"1\n"
    connection.close()


@pytest.mark.parametrize(
    "headers",
    [
        {"X-ClickHouse-User": "default", "X-ClickHouse-Key": "wrong"},
        {"X-ClickHouse-User": "nobody", "X-ClickHouse-Key": "sesame"},
        {"Authorization": "Basic " + base64.b64encode(b"default:wrong").decode()},
        {"Authorization": "Basic \x7f"},
        {},
    ],
)
def test_wrong_credentials_are_refused_before_anything_runs(embedded_server, headers):
    connection = http.client.HTTPConnection("127.0.0.1", embedded_server.http_port)
    connection.request("POST", "/?query=SELECT+1", headers=headers)
    answer = connection.getresponse()
    assert answer.status == 403
    assert answer.headers["X-ClickHouse-Exception-Code"] == "516"
    assert b"AUTHENTICATION_FAILED" in answer.read()

    connection.close()


@pytest.mark.parametrize(
    ("sql", "status", "code"),
    [
        ("SELEC 1", 400, "62"),
        ("SELECT * FROM nowhere", 404, "60"),
        ("SELECT throwIf(1)", 500, "395"),
        ("INSERT INTO nowhere FORMAT CSV", 404, "60"),
        ("SELECT 1; SELECT 2", 400, "62"),
        ("SELECT sleep(3) SETTINGS max_execution_time = 1", 408, "159"),
    ],
)
def test_errors_have_clickhouses_status_code_and_text(embedded_server, sql, status, code):
    answered, headers, body = embedded_server.http(sql)
    assert (answered, headers["X-ClickHouse-Exception-Code"]) == (status, code)
    assert body.startswith(f"Code: {code}. DB::Exception: ".encode())
    assert body.endswith(b")\n")
    assert headers["X-ClickHouse-Query-Id"]


def test_an_error_in_the_middle_of_a_result_cuts_it_off(embedded_server):
    with pytest.raises(http.client.IncompleteRead):
        embedded_server.http("SELECT throwIf(number = 900000) FROM numbers(1000000)")


def test_get_changes_nothing(embedded_server, table, client):
    for sql in (f"INSERT INTO {table} VALUES (1, 'a')", f"DROP TABLE {table}"):
        status, headers, _ = embedded_server.http(sql, method="GET")
        assert (status, headers["X-ClickHouse-Exception-Code"]) == (500, "164")
    assert rows_of(client) == []


def test_ddl_is_answered_with_an_empty_body(embedded_server, database, client):
    sql = f"CREATE TABLE {database}.made (a Int8) ENGINE = Memory"
    assert embedded_server.http(body=sql.encode())[::2] == (200, b"")
    assert client.execute("SHOW TABLES") == [("made",)]


def test_every_answer_names_query_server_and_what_was_done(embedded_server, table):
    sql = f"INSERT INTO {table} FORMAT CSV"
    _, headers, _ = embedded_server.http(sql, CSV, query_id="my-insert")
    summary = json.loads(headers["X-ClickHouse-Summary"])
    assert headers["X-ClickHouse-Query-Id"] == "my-insert"
    assert headers["X-ClickHouse-Server-Display-Name"]
    assert summary["written_rows"] == "3"
    assert int(summary["written_bytes"]) > 0

    _, headers, _ = embedded_server.http(f"SELECT sum(a) FROM {table}")
    assert json.loads(headers["X-ClickHouse-Summary"])["read_rows"] == "3"


def test_a_connection_serves_many_requests(embedded_server, table):
    connection = http.client.HTTPConnection("127.0.0.1", embedded_server.http_port)
    headers = {"X-ClickHouse-User": "default", "X-ClickHouse-Key": "sesame"}
    statuses, addresses = [], set()
    for sql in ("SELECT 1", "SELEC 1", f"INSERT INTO {table} FORMAT CSV", "SELECT 2"):
        # Only an INSERT may have rows after it.
        connection.request("POST", "/", body=sql.encode() + b"\n" + CSV, headers=headers)
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
        addresses.add(connection.sock.getsockname())

    assert statuses == [400, 400, 200, 400]
    assert len(addresses) == 1

    connection.close()


@pytest.mark.parametrize(
    ("form", "body"),
    [
        ("CSV", CSV),
        ("TabSeparated", CSV.replace(b",", b"\t")),
        ("JSONEachRow", b'{"a":1,"s":"a"}\n{"s":"b","a":"2"}\n{"a":3,"s":"c"}'),
        ("RowBinary", row_binary(1, b"a") + row_binary(2, b"b") + row_binary(3, b"c")),
        ("ArrowStream", arrow(pa.record_batch({"a": [1, 2, 3], "s": ["a", "b", "c"]}))),
        ("Values", b"(1, 'a'), (2, 'b'), (3, 'c')"),
    ],
)
def test_rows_of_any_format_are_inserted_by_curl(curl, client, table, form, body):
    url = f"/?query=INSERT+INTO+{table}+FORMAT+{form}"
    assert curl("--data-binary", "@-", url=url, stdin=body) == (b"", 200)
    assert rows_of(client) == [(1, "a"), (2, "b"), (3, "c")]


def test_statement_and_rows_may_come_in_one_body(curl, client, table):
    body = f"INSERT INTO {table} FORMAT CSV\n".encode() + CSV
    assert curl("--data-binary", "@-", stdin=body) == (b"", 200)
    body = f"INSERT INTO {table} (s, a) VALUES ('d', 4)".encode()
    assert curl("--data-binary", "@-", stdin=body) == (b"", 200)
    assert rows_of(client) == [(1, "a"), (2, "b"), (3, "c"), (4, "d")]


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("zstd", zstandard.compress),
        ("lz4", lz4.frame.compress),
        ("gzip", partial(in_two, gzip.compress)),
        ("zstd", partial(in_two, zstandard.compress)),
    ],
)
def test_compressed_bodies_are_taken_in_one_piece_or_in_chunks(curl, client, table, encoding, pack):
    url = f"/?query=INSERT+INTO+{table}+FORMAT+CSV"
    encoded = ("-H", f"Content-Encoding: {encoding}", "--data-binary", "@-")
    chunked = ("-H", "Transfer-Encoding: chunked")

    assert curl(*encoded, url=url, stdin=pack(CSV)) == (b"", 200)
    assert curl(*encoded, *chunked, url=url, stdin=pack(CSV)) == (b"", 200)

    counts = client.execute("SELECT a, count() FROM t GROUP BY a ORDER BY a")
    assert counts == [(1, 2), (2, 2), (3, 2)]


def test_a_body_that_waits_for_100_continue_is_asked_for(curl, client, table):
    url = f"/?query=INSERT+INTO+{table}+FORMAT+CSV"
    expecting = ("-H", "Expect: 100-continue", "--expect100-timeout", "30", "--data-binary", "@-")
    assert curl(*expecting, url=url, stdin=CSV) == (b"", 200)
    assert len(rows_of(client)) == 3


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Encoding": "gzip"}, gzip.compress(CSV, mtime=0)[:-9]),
        ({"Content-Encoding": "zstd"}, zstandard.compress(CSV * 99)[:-5]),
        ({"Content-Encoding": "zstd"}, CSV),
        ({"Content-Encoding": "br"}, CSV),
        ({}, CSV + b"x,d\n"),
        ({}, CSV + b"4"),
    ],
)
def test_a_bad_body_stores_nothing(embedded_server, client, table, headers, body):
    sql = f"INSERT INTO {table} FORMAT CSV"
    status, answered, _ = embedded_server.http(sql, body, headers=headers)
    assert status >= 400
    assert int(answered["X-ClickHouse-Exception-Code"]) > 0
    assert rows_of(client) == []


def test_what_the_table_refuses_is_told_and_not_stored(embedded_server, client, database):
    client.execute("CREATE TABLE p (a UInt64) ENGINE = MergeTree ORDER BY a PARTITION BY a")
    sql = f"INSERT INTO {database}.p FORMAT CSV"
    status, headers, _ = embedded_server.http(sql, numbers(200))
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (500, "252")
    assert client.execute("SELECT count() FROM p") == [(0,)]


@pytest.mark.parametrize(
    "sent",
    [
        b"Content-Length: 1000\r\n\r\n" + CSV,
        b"Transfer-Encoding: chunked\r\n\r\n6\r\n1,a\n2,\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n6\r\n1,a\n2",
        b"Transfer-Encoding: chunked\r\n\r\n4\r\n1,a\n\r\n0\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n4\r\n1,a\n\r\nfoo\r\n",
    ],
)
def test_a_client_that_hangs_up_in_its_body_stores_nothing(
    embedded_server, client, table, wait_until, sent
):
    head = (
        f"POST /?query=INSERT+INTO+{table}+FORMAT+CSV&query_id=cut-{table} HTTP/1.1\r\n"
        "X-ClickHouse-User: default\r\nX-ClickHouse-Key: sesame\r\n"
    )

    with socket.create_connection(("127.0.0.1", embedded_server.http_port)) as connection:
        connection.sendall(head.encode() + sent)
        connection.shutdown(socket.SHUT_WR)
        assert b"X-ClickHouse-Exception-Code: 33" in connection.makefile("rb").read()

    sql = f"SELECT count() FROM system.processes WHERE query_id = 'cut-{table}'"
    wait_until(lambda: client.execute(sql) == [(0,)])
    assert rows_of(client) == []


@pytest.mark.parametrize("partitions", [1, 3])
def test_one_arrow_batch_becomes_one_part_in_each_partition(
    embedded_server, client, database, partitions
):
    client.execute(
        "CREATE TABLE wide (a UInt64, s String, p UInt8) ENGINE = MergeTree "
        "ORDER BY a PARTITION BY p"
    )
    client.execute("SYSTEM STOP MERGES wide")
    count = 1_000_000
    batch = pa.record_batch(
        {
            "a": pa.array(range(count), pa.uint64()),
            "s": pa.array(["some text of a log line"] * count),
            "p": pa.array([n % partitions for n in range(count)], pa.uint8()),
        }
    )
    sql = f"INSERT INTO {database}.wide FORMAT ArrowStream"
    status, _, body = embedded_server.http(sql, arrow(batch))

    assert status == 200, body

    sql = "SELECT count(), sum(rows) FROM system.parts WHERE active AND database = %(d)s"
    assert client.execute(sql, {"d": database}) == [(partitions, count)]


def test_many_small_arrow_batches_of_one_insert_become_one_part(
    embedded_server, client, database, table
):
    batches = [pa.record_batch({"a": [n], "s": ["x" * 1000]}) for n in range(2000)]
    sql = f"INSERT INTO {table} FORMAT ArrowStream"
    assert embedded_server.http(sql, arrow(*batches))[0] == 200

    sql = "SELECT count(), sum(rows) FROM system.parts WHERE active AND database = %(d)s"
    assert client.execute(sql, {"d": database}) == [(1, 2000)]


def test_columns_that_are_left_out_get_their_defaults(embedded_server, client, database):
    client.execute(
        "CREATE TABLE d (a UInt64, b UInt64 DEFAULT a * 2, c String DEFAULT 'none', "
        "m UInt64 MATERIALIZED a + 1, e String EPHEMERAL, f String DEFAULT upper(e), "
        "INDEX i a TYPE minmax, CONSTRAINT k CHECK a < 1000) ENGINE = MergeTree ORDER BY a "
        "TTL toDate('2100-01-01') + toIntervalSecond(a)"
    )
    sql = f"INSERT INTO {database}.d (a, c, e) FORMAT JSONEachRow"
    body = b'{"a": 1, "e": "x"}\n{"a": 2, "c": "given"}'

    assert embedded_server.http(sql, body)[0] == 200
    assert client.execute("SELECT a, b, c, m, f FROM d ORDER BY a") == [
        (1, 2, "none", 2, "X"),
        (2, 4, "given", 3, ""),
    ]
