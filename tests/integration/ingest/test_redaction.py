"""What a rule of redaction finds is stored nowhere: rows, dead letters, logs, live tail, files."""

import io
import logging

import pytest
import zstandard
from celery import Celery

from access.secret import redaction_secret
from ingest.commit.receive import Receiver
from ingest.doors.http.app import create_app
from ingest.status import RefusedError
from ledger.ledger import Ledger
from ledger.redaction import EVERYWHERE, RedactionBook, RedactionView, RulesUnknownError
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import StorageError
from storage.clickhouse.insert import Inserter
from storage.redaction.rules import Rule
from tests.integration.ingest.door import ACME, taken
from tests.integration.ingest.grpc_door import GrpcDoor
from tests.integration.made_logs import entry, payload
from worker.write import Writer

pytestmark = pytest.mark.integration

CARD = "4111 1111 1111 1111"
TOKEN = "ghp_" + "Q7x9" * 9
PASSWORD = "correct-horse-battery"
SECRETS = [each.encode() for each in (CARD, TOKEN, PASSWORD)]
RULES = (
    Rule("mask", preset="card"),
    Rule("hash", preset="token"),
    Rule("drop", attribute="*password*"),
)
ZSTD = b"\x28\xb5\x2f\xfd"


@pytest.fixture
def settings(stores, free_port, tmp_path):
    return stores(
        secret_key="s" * 32, data_dir=tmp_path, otel_grpc_port=free_port(), listen_host="127.0.0.1"
    )


@pytest.fixture
def book(ledger, clickhouse):
    """The rules in both stores; none in the end."""
    clickhouse.query("TRUNCATE TABLE shared")
    yield RedactionBook(ledger.broker, clickhouse)
    clickhouse.query("TRUNCATE TABLE shared")


@pytest.fixture
def writer(settings):
    ledger, connection, inserter = Ledger(settings), Clickhouse(settings), Inserter(settings)
    made = Writer(settings, ledger, connection, inserter)
    made.start()
    yield made
    made.close()
    for each in (inserter, connection, ledger):
        each.close()


@pytest.fixture
def no_poison(clickhouse):
    """A table that refuses rows whose body has a certain word."""
    clickhouse.query(
        "ALTER TABLE otel_logs ADD CONSTRAINT no_poison CHECK position(Body, 'poison') = 0"
    )
    yield
    clickhouse.query("ALTER TABLE otel_logs DROP CONSTRAINT no_poison")


@pytest.fixture
def send(settings):
    """Send a body over gRPC, and over JSON with a password."""
    grpc_door = GrpcDoor(settings)
    receiver = Receiver(settings, Celery("door", broker=settings.broker_url))
    receiver.start()
    json_door = create_app(settings, receiver).test_client()

    def both(body):
        grpc_door.send(body).result()
        record = {"message": body, "user": {"password": PASSWORD}, "db_password": PASSWORD}
        assert json_door.post("/api/v1/ingest", json=record).status_code < 300

    yield both
    receiver.stop()
    grpc_door.stop()


def texts_in(folder):
    """All bytes of the files below a folder, with what is compressed within."""
    for path in folder.rglob("*"):
        if path.is_file():
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                continue
            yield content
            for start in places_of(ZSTD, content):
                yield unpacked(content[start:])


def places_of(part, content):
    start = content.find(part)
    while start >= 0:
        yield start
        start = content.find(part, start + 1)


def unpacked(content):
    try:
        return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(content)).read(1 << 20)
    except zstandard.ZstdError:
        return b""


def secrets_in(folder):
    found = {secret for text in texts_in(folder) for secret in SECRETS if secret in text}
    return sorted(found)


def all_rows(clickhouse):
    names = [name for (name,) in clickhouse.query("SHOW TABLES")]
    return "".join(str(clickhouse.query(f"SELECT * FROM {name}")) for name in names)


@pytest.mark.usefixtures("no_poison")
def test_a_secret_is_in_no_row_no_dead_letter_no_log_and_no_file(
    *, book, send, writer, ledger, clickhouse, valkey, engine, wait_until, caplog
):
    book.replace(EVERYWHERE, RULES)
    book_view_is_new(writer)
    send(f"paid with {CARD}, {TOKEN}")
    send(f"poison with {CARD}, {TOKEN}")
    assert secrets_in(valkey._folder) == sorted(SECRETS)
    caplog.set_level(logging.DEBUG)

    problems = drained(writer, wait_until, ledger)

    letters = ledger.dead_letters.newest()
    assert letters
    for letter in letters:
        [chunk] = ledger.fetch([letter.id])
        assert b"poison" in chunk.otlp()
        found = (chunk.otlp() + letter.reason.encode() + chunk.payload).decode("latin-1")
        assert_clean(found)
    stored = all_rows(clickhouse)
    assert "paid with ***, hash:" in stored
    assert_clean(stored)
    assert_clean(caplog.text)
    assert_clean(" ".join(problems))

    clickhouse.query("OPTIMIZE TABLE otel_logs FINAL")
    valkey.client.bgrewriteaof()
    wait_until(lambda: rewritten(valkey.client), seconds=30)
    wait_until(lambda: secrets_in(valkey._folder) == [], seconds=30)
    assert secrets_in(engine._folder) == []


def book_view_is_new(writer):
    writer._redaction.refresh()
    assert writer._redaction.redactor("default") is not None


def drained(writer, wait_until, ledger):
    problems = []

    def done():
        problems.extend(outcome.problem for outcome in writer.drain())
        return ledger.waiting.stats().waiting_chunks == 0

    wait_until(done, seconds=60)
    return problems


def assert_clean(text):
    for secret in SECRETS:
        assert secret.decode() not in text


def rewritten(client):
    state = client.info("persistence")
    return not state["aof_rewrite_in_progress"] and not state["aof_rewrite_scheduled"]


def test_an_error_that_quotes_a_record_is_logged_and_kept_without_it(
    book, writer, ledger, monkeypatch, caplog
):
    book.replace("acme", RULES)
    writer._redaction.refresh()
    ledger.accept([entry(["x"])])

    def broken(*_):
        raise RuntimeError(f"cannot read {CARD}")

    monkeypatch.setattr("worker.write.decode.decode", broken)

    outcome = writer.store(ledger.seal())

    assert "cannot read ***" in outcome.problem
    assert CARD not in caplog.text + outcome.problem


def test_the_live_tail_gets_redacted_rows(book, writer, ledger, monkeypatch):
    book.replace("acme", RULES)
    writer._redaction.refresh()
    ledger.accept([entry([f"with {CARD}"])])
    offered = []
    monkeypatch.setattr(writer._policies.live, "offer", offered.append)

    writer.drain()

    [tables] = offered
    assert tables["otel_logs"].column("Body").to_pylist() == ["with ***"]


def test_what_a_door_stores_itself_is_redacted(book, open_door, settings, free_port, clickhouse):
    book.replace("acme", RULES)
    away = settings.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}/0"})
    door = open_door(away)

    taken(door, payload([f"with {CARD}"]))

    assert clickhouse.query("SELECT WorkspaceId, Body FROM otel_logs") == [
        (ACME.workspace_id, "with ***")
    ]


def test_a_door_that_cannot_read_the_rules_stores_nothing(
    open_door, settings, free_port, clickhouse
):
    gone = {"redis_url": f"redis://127.0.0.1:{free_port()}/0", "clickhouse_port": free_port()}
    door = open_door(settings.model_copy(update=gone))

    assert isinstance(door.ask(payload([f"with {CARD}"])), RefusedError)

    assert clickhouse.query("SELECT count() FROM otel_logs") == [(0,)]


def test_a_worker_that_cannot_read_the_rules_seals_nothing(book, writer, ledger, monkeypatch):
    book.replace("acme", RULES)
    ledger.accept([entry(["x"])])
    view = RedactionView(b"s", ledger.broker, writer._clickhouse)
    monkeypatch.setattr(writer, "_redaction", view)

    def away(*_):
        raise StorageError("away")

    with monkeypatch.context() as patch:
        patch.setattr(view._view._table, "in_clickhouse", away)
        assert writer.drain() == []
        with pytest.raises(RulesUnknownError):
            view.redactor("acme")
        batch = ledger.seal()
        outcome = writer.store(batch)
        assert outcome.postponed
        assert "cannot be read" in outcome.problem

    assert view.redactor("acme") is not None


def test_rules_are_known_from_clickhouse_if_the_broker_lost_them(book, ledger, clickhouse, valkey):
    book.replace("acme", RULES)
    valkey.client.flushall()
    view = RedactionView(b"s", ledger.broker, clickhouse)
    assert view.redactor("acme").text(CARD) == "***"


def test_a_change_holds_everywhere_within_seconds(book, ledger, clickhouse, settings, wait_until):
    view = RedactionView(redaction_secret(settings), ledger.broker, clickhouse)
    view.start()
    assert view.redactor("acme") is None

    book.replace("acme", [Rule("mask", pattern="x")])
    wait_until(lambda: view.redactor("acme") is not None, seconds=5)
    assert view.redactor("acme").text("xyz") == "***yz"

    book.replace(EVERYWHERE, [Rule("drop", pattern="y")])
    wait_until(lambda: view.redactor("acme").text("xyz") == "***z", seconds=5)
    assert view.redactor("beta").text("xyz") == "xz"

    book.replace("acme", [])
    wait_until(lambda: view.redactor("acme").text("xyz") == "xz", seconds=5)
    view.stop()
