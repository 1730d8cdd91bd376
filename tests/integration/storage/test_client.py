import socket
import threading
from collections import Counter

import pytest

from storage.clickhouse.budget import Allowance
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.download import Downloads
from storage.clickhouse.errors import (
    QUERY_WAS_CANCELLED,
    NoAnswerInTimeError,
    QueryRefusedError,
    UnavailableError,
)

pytestmark = pytest.mark.integration


@pytest.fixture
def through(proxy, migrated, stores):
    """A client whose connection can be broken."""
    gate = proxy(migrated.clickhouse_port)
    connection = Clickhouse(stores(clickhouse_port=gate.port))
    yield gate, connection
    connection.close()


def test_values_are_bound_and_never_read_as_sql(clickhouse):
    odd = "'; DROP TABLE otel_logs; -- \\ \n é \x00 %(x)s"
    assert clickhouse.query("SELECT %(text)s, %(n)s", {"text": odd, "n": 2**63}) == [(odd, 2**63)]
    assert clickhouse.query("SELECT 1 WHERE 'b' IN %(names)s", {"names": ("a", "b")}) == [(1,)]


def test_rows_can_be_asked_for_by_name(clickhouse):
    assert clickhouse.query_named("SELECT 1 AS a, 'x' AS b") == [{"a": 1, "b": "x"}]
    assert clickhouse.query_named("SELECT 1 AS a WHERE 0") == []


def test_a_refused_query_keeps_clickhouses_words_and_code_and_the_connection(clickhouse):
    with pytest.raises(QueryRefusedError, match="no_such_table") as refused:
        clickhouse.query("SELECT * FROM no_such_table")
    assert refused.value.code == 60
    assert clickhouse.query("SELECT 1") == [(1,)]
    assert sum(idle.qsize() for idle in clickhouse._idle.values()) == 1


def test_a_limit_is_the_querys_own(clickhouse):
    with pytest.raises(QueryRefusedError) as refused:
        clickhouse.query("SELECT * FROM numbers(10)", limits={"max_result_rows": 5})
    assert refused.value.code == 396
    assert len(clickhouse.query("SELECT * FROM numbers(10)")) == 10


def test_no_server_is_unavailable(make_settings, free_port):
    connection = Clickhouse(make_settings(clickhouse_port=free_port()))
    with pytest.raises(UnavailableError):
        connection.ping()


def test_a_connection_that_breaks_is_told_and_the_next_query_works(through):
    gate, connection = through
    connection.ping()
    gate.break_all("cut")
    with pytest.raises(UnavailableError):
        connection.query("SELECT 1")

    gate.heal()
    assert connection.query("SELECT 1") == [(1,)]


def test_a_connection_that_broke_while_idle_is_replaced(through, wait_until):
    gate, connection = through
    connection.ping()
    gate.disconnect()
    wait_until(lambda: not gate._writers)
    assert connection.query("SELECT 1") == [(1,)]


def test_threads_have_connections_of_their_own(clickhouse):
    answers = []

    def ask(number):
        for _ in range(5):
            answers.extend(clickhouse.query("SELECT %(n)s", {"n": number}))

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Counter(answers) == {(number,): 5 for number in range(6)}


@pytest.fixture
def mute(make_settings, monkeypatch):
    """Settings of a server that accepts connections and never answers."""
    monkeypatch.setattr("storage.clickhouse.client.PATIENCE", 0.3)
    monkeypatch.setattr("storage.clickhouse.download.PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        yield make_settings(clickhouse_port=port, clickhouse_http_port=port, query_max_seconds=0.1)


def test_a_server_that_is_there_but_does_not_answer_is_not_called_unreachable(mute, caplog):
    connection, downloads = Clickhouse(mute), Downloads(mute)
    with pytest.raises(NoAnswerInTimeError, match="in time"):
        connection.ping()
    with pytest.raises(NoAnswerInTimeError, match="in time"):
        downloads.fetch("SELECT 1", {}, {}, "CSV")

    downloads.close()
    # The driver would log a traceback for each.
    assert [record for record in caplog.records if record.exc_info] == []


def test_a_cancelled_request_ends_its_query_and_all_that_follow(clickhouse, wait_until):
    allowance, answers = Allowance(), []

    def ask():
        with allowance.spent():
            for _ in range(2):
                try:
                    clickhouse.query("SELECT sleepEachRow(1) FROM numbers(60)", None, _SMALL)
                except QueryRefusedError as error:
                    answers.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    running = "SELECT count() FROM system.processes WHERE query LIKE '%%sleepEachRow%%'"
    wait_until(lambda: clickhouse.query(running)[0][0] > 1)
    reason = QueryRefusedError("The client went away", QUERY_WAS_CANCELLED)
    allowance.cancel(reason)
    thread.join()

    assert answers == [reason, reason]

    wait_until(lambda: clickhouse.query(running)[0][0] == 1)


# One row in a block: ClickHouse limits how long a query may sleep for each block.
_SMALL = {"max_block_size": 1}
