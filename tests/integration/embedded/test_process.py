"""The built-in ClickHouse as a process: how it starts, stops, and survives what it is sent."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress

import psutil
import pytest
from clickhouse_driver.errors import Error as DriverError

pytestmark = pytest.mark.integration

# The opening packet of a native client: name, versions, database, user, password.
HELLO = b"\x00\x06tester\x14\x0a\xb5\xa9\x03\x00\x07default\x06sesame"


def refusal(server, project_root, **environment):
    """The exit code and the lines of standard error of a server that cannot start."""
    done = subprocess.run(
        [sys.executable, "-m", "embedded"],
        cwd=project_root,
        env=server.environment(**environment),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stderr.strip().splitlines()


@pytest.fixture
def started(new_embedded_server):
    server = new_embedded_server().start()
    yield server
    if server.process.poll() is None:
        assert server.stop() == 0


@pytest.mark.parametrize("port", ["CLICKHOUSE_PORT", "CLICKHOUSE_HTTP_PORT"])
def test_a_port_that_is_taken_is_told_in_one_line(new_embedded_server, project_root, port):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = str(taken.getsockname()[1])
        code, lines = refusal(new_embedded_server(), project_root, **{port: number})

    assert code == 1
    assert len(lines) == 1
    assert number in lines[0]
    assert "in use" in lines[0]


def test_a_folder_that_another_process_uses_is_told_in_one_line(
    started, new_embedded_server, project_root
):
    folder = str(started.folder)
    code, lines = refusal(new_embedded_server(), project_root, DATA_DIR=folder)
    assert code == 1
    assert lines == [f"embedded: {folder}/clickhouse is in use by another process"]
    with started.client() as client:
        assert client.execute("SELECT 1") == [(1,)]


def test_a_folder_that_cannot_be_made_is_told_in_one_line(
    new_embedded_server, project_root, tmp_path
):
    (tmp_path / "file").touch()
    folder = str(tmp_path / "file" / "data")
    code, lines = refusal(new_embedded_server(), project_root, DATA_DIR=folder)
    assert code == 1
    assert len(lines) == 1
    assert folder in lines[0]


def test_a_setting_that_is_wrong_is_told_in_one_line(new_embedded_server, project_root):
    code, lines = refusal(new_embedded_server(), project_root, CLICKHOUSE_PORT="many")
    assert code == 1
    assert len(lines) == 1
    assert "CLICKHOUSE_PORT" in lines[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_with_code_0_and_everything_is_there_again(new_embedded_server, number):
    server = new_embedded_server().start()
    idle = server.client()
    idle.execute("SELECT 1")
    with server.client() as client:
        client.execute("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
        client.execute("INSERT INTO t VALUES", [(n,) for n in range(1000)])
    server.process.send_signal(number)

    assert server.process.wait(10) == 0
    with pytest.raises((DriverError, EOFError, OSError)):
        idle.execute("SELECT 1")
    with server.start().client() as client:
        assert client.execute("SELECT count(), sum(a) FROM t") == [(1000, 499_500)]
    assert server.stop() == 0


def is_running(client, query_id):
    sql = "SELECT count() FROM system.processes WHERE query_id = %(id)s"
    return client.execute(sql, {"id": query_id}) == [(1,)]


def test_a_query_that_runs_at_sigterm_still_gets_its_answer(new_embedded_server, wait_until):
    server = new_embedded_server().start()
    answers = []

    def read():
        with server.client() as reader:
            answers.append(reader.execute("SELECT sleep(1)", query_id="last"))

    with server.client() as other:
        asking = threading.Thread(target=read)
        asking.start()
        wait_until(lambda: is_running(other, "last"))
        server.process.send_signal(signal.SIGTERM)
        asking.join()

    assert answers == [[(0,)]]
    assert server.process.wait(10) == 0


def test_an_endless_query_does_not_keep_it_from_stopping(new_embedded_server, wait_until):
    server = new_embedded_server().start()
    ended = []

    def read():
        with server.client() as reader:
            sql = "SELECT sum(sipHash64(number)) FROM numbers(1000000000000)"
            try:
                reader.execute(sql, query_id="endless")
            except (DriverError, EOFError, OSError) as error:
                ended.append(error)

    asking = threading.Thread(target=read)
    asking.start()
    with server.client() as other:
        wait_until(lambda: is_running(other, "endless"))
    server.process.send_signal(signal.SIGTERM)

    assert server.process.wait(10) == 0

    asking.join()
    assert len(ended) == 1


@pytest.mark.parametrize("seed", range(4))
def test_random_bytes_at_either_port_harm_nobody(embedded_server, client, seed):
    rng = random.Random(seed)
    openings = (b"", HELLO, HELLO + b"\x01", HELLO + b"\x02", b"POST / HTTP/1.1\r\n")
    for port in (embedded_server.native_port, embedded_server.http_port):
        for opening in openings:
            send_and_hang_up(port, opening + rng.randbytes(rng.randrange(1, 5000)))

    assert client.execute("SELECT 1") == [(1,)]
    assert embedded_server.http("SELECT 1")[0] == 200


def send_and_hang_up(port, content):
    """Send bytes, and read until the server hangs up too."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(content)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(10)
        with suppress(ConnectionResetError):
            while connection.recv(65_536):
                pass


# A packet of data: no table name, block information, 2 columns, 1000 rows, column a of UInt64,
# of which the values follow.
BLOCK = b"\x02\x00\x01\x00\x02\xff\xff\xff\xff\x00\x02\xe8\x07\x01a\x06UInt64" + bytes(8 * 1000)


def test_a_client_that_hangs_up_in_the_middle_of_a_block_stores_nothing(
    embedded_server, client, database, wait_until
):
    def hang_up_after(cut):
        query_id = f"cut-{cut}"
        broken = embedded_server.client(database=database)
        broken.execute("SELECT 1")
        connection = broken.connection
        connection.send_query("INSERT INTO t VALUES", query_id=query_id)
        connection.send_external_tables([], types_check=False)
        connection.socket.sendall(BLOCK[:cut])
        wait_until(lambda: is_running(client, query_id))
        broken.disconnect()
        wait_until(lambda: not is_running(client, query_id))

    client.execute("CREATE TABLE t (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
    for cut in (1, 5, 100, 4000):
        hang_up_after(cut)

    assert client.execute("SELECT count() FROM t") == [(0,)]


def test_a_type_that_cannot_be_read_is_refused_and_the_server_lives_on(
    embedded_server, client, database
):
    client.execute("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
    broken = embedded_server.client(database=database)
    broken.execute("SELECT 1")
    broken.connection.send_query("INSERT INTO t VALUES")
    broken.connection.send_external_tables([], types_check=False)
    broken.connection.socket.sendall(
        b"\x02\x00\x01\x00\x02\xff\xff\xff\xff\x00\x01\x01\x01a\x07Strange\x00\x00"
    )
    packets = [broken.connection.receive_packet() for _ in range(2)]

    assert packets[-1].exception.code == 50

    broken.disconnect()
    assert client.execute("SELECT count() FROM t") == [(0,)]


def test_connections_that_are_gone_leave_no_threads_behind(started, wait_until):
    process = psutil.Process(started.process.pid)
    with started.client() as client:
        client.execute("SELECT 1")
        before = process.num_threads()
        for _ in range(40):
            with started.client() as short:
                short.execute("SELECT 1")
        wait_until(lambda: process.num_threads() <= before + 5)


def test_the_engine_is_set_up_for_a_small_machine(client):
    found = dict(client.execute("SELECT name, value FROM system.server_settings"))
    assert found["background_pool_size"] == "2"
    assert found["max_server_memory_usage_to_ram_ratio"] == "0.5"

    kept = (
        "SELECT count() FROM system.tables WHERE database = 'system' AND engine LIKE '%%MergeTree'"
    )
    assert client.execute(kept) == [(0,)], "a system log that grows"


def test_parts_are_merged_in_the_background(client, wait_until):
    client.execute("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
    for number in range(15):
        client.execute("INSERT INTO t VALUES", [(number,)])
    sql = "SELECT count() FROM system.parts WHERE active AND table = 't' AND level > 0"
    wait_until(lambda: client.execute(sql) != [(0,)])
    assert client.execute("SELECT sum(a) FROM t") == [(105,)]


def test_merges_have_a_lower_priority_than_all_the_rest(started):
    threads = psutil.Process(started.process.pid).threads()
    priorities = [os.getpriority(os.PRIO_PROCESS, thread.id) for thread in threads]
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    # Numbers are niceness, of at most 19: higher means a lower priority.
    assert priorities.count(min(ours + 10, 19)) == 2
    assert sum(priority > ours for priority in priorities) == 2


def test_the_allocator_keeps_memory_for_a_minute_and_takes_no_profile(client):
    stats = "\n".join(line for (line,) in client.execute("SELECT * FROM system.jemalloc_stats"))
    assert "opt.dirty_decay_ms: 60000 (arenas.dirty_decay_ms: 60000)" in stats
    assert "opt.muzzy_decay_ms: 60000 (arenas.muzzy_decay_ms: 60000)" in stats
    assert "opt.prof: false" in stats


def test_nothing_but_the_log_is_written_to_standard_error(started):
    with started.client() as client:
        client.execute("SELECT 1")
        with pytest.raises(DriverError):
            client.execute("SELEC")
    assert started.stop() == 0

    lines = started.log.read_text().splitlines()
    assert lines
    assert all(" INFO embedded" in line for line in lines), lines


@pytest.mark.parametrize("end", ["left", "failed", "out of time"])
def test_results_that_end_early_do_no_harm(started, end):
    def read_a_part():
        numbers = "SELECT number, toString(number) FROM numbers(3000000)"
        slow = "SELECT number, sleepEachRow(0.001) FROM numbers(30000)"
        failing = "SELECT number, throwIf(number = 200000) FROM numbers(300000)"
        with started.client(settings={"max_block_size": 1000}) as client:
            if end == "left":
                next(client.execute_iter(numbers))
            elif end == "failed":
                client.execute(failing)
            else:
                client.execute(slow, settings={"max_block_size": 20, "max_execution_time": 0.1})

    def read():
        for _ in range(15):
            with suppress(DriverError, EOFError, OSError):
                read_a_part()

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert started.process.poll() is None
    with started.client() as client:
        assert client.execute("SELECT 1") == [(1,)]
