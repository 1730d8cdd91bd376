"""Debian's clickhouse-client, which speaks the native protocol of 2018."""

import subprocess

import pytest

pytestmark = pytest.mark.integration


@pytest.fixture
def old_client(require, embedded_server, database):
    """Run clickhouse-client with a query; returns standard output, standard error, exit code."""
    program = require("clickhouse-client")

    def run(query, *options, stdin=b""):
        command = [program, "--host", "127.0.0.1", "--port", str(embedded_server.native_port)]
        command += ["--password", "sesame", "--database", database, *options, "--query", query]
        done = subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=60)
        return done.stdout.decode(), done.stderr.decode(), done.returncode

    return run


def test_it_reads_and_writes(old_client):
    create = (
        "CREATE TABLE t (a UInt64, s LowCardinality(String), n Nullable(String), l Array(Int8)) "
        "ENGINE = MergeTree ORDER BY a"
    )

    assert old_client(create) == ("", "", 0)

    rows = b"1\tx\t\\N\t[1,2]\n2\ty\tz\t[]\n"
    assert old_client("INSERT INTO t FORMAT TabSeparated", stdin=rows) == ("", "", 0)
    assert old_client("INSERT INTO t VALUES (3, 'v', 'w', [3])")[2] == 0

    out, err, code = old_client("SELECT * FROM t ORDER BY a FORMAT TabSeparated")
    assert (out, err, code) == ("1\tx\t\\N\t[1,2]\n2\ty\tz\t[]\n3\tv\tw\t[3]\n", "", 0)


@pytest.mark.parametrize("compression", ["0", "1"])
def test_it_reads_and_writes_much(old_client, compression):
    options = ("--compression", compression)
    rows = b"".join(b"%d\n" % n for n in range(300_000))

    assert old_client("CREATE TABLE t (a UInt64) ENGINE = Memory", *options)[2] == 0
    assert old_client("INSERT INTO t FORMAT TabSeparated", *options, stdin=rows)[2] == 0
    assert old_client("SELECT count(), sum(a) FROM t", *options)[0] == "300000\t44999850000\n"
    assert old_client("SELECT a FROM t ORDER BY a", *options)[0].encode() == rows


def test_it_is_told_of_errors(old_client):
    out, err, code = old_client("SELECT * FROM nowhere")
    assert (out, code) == ("", 60)
    assert "DB::Exception" in err


def test_its_settings_are_taken(old_client):
    sql = "SELECT getSetting('max_block_size'), getSetting('max_memory_usage')"
    options = ("--max_block_size", "77", "--max_memory_usage", "5000000000")
    assert old_client(sql, *options) == ("77\t5000000000\n", "", 0)
