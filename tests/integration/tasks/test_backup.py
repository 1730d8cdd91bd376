"""Backups of both stores, and their way back into empty ones."""

import json
import shutil

import pytest

from ledger import keys
from ledger.backup.record import BackupLock, recent_backups
from ledger.chunk import row_id
from ledger.ledgers import open_ledgers
from ledger.usage import UsageCounters
from ledger.workers import Worker, WorkerBook
from storage.backup.place import BackupError, place_of
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.insert import Inserter
from storage.schema.files import migrations
from storage.schema.migrate import migrate
from tasks.backup.make import BackupMaker, back_up
from tasks.backup.restore import Restorer, check_files, chosen
from tasks.jobs.backup import make_backup, order_due
from tasks.jobs.book import JobBook
from tasks.jobs.job import EVERY_WORKSPACE, new_order
from tests.integration.conftest import Server, empty
from tests.integration.made_jobs import Worker as JobWorker
from tests.integration.made_logs import entry
from worker.several import writer_of

pytestmark = pytest.mark.integration


class System:
    """Both stores, which can be wiped, and a writer."""

    def __init__(self, settings):
        self.settings = settings
        self.ledger = open_ledgers(settings)
        self.broker = self.ledger.broker
        self.clickhouse = Clickhouse(settings)
        self.inserter = Inserter(settings)
        self.place = place_of(settings)

    def store(self):
        """Store what waits."""
        writer = writer_of(self.settings, self.ledger, self.clickhouse, self.inserter)
        while self.ledger.waiting.stats().waiting_chunks:
            writer.drain()

    def bodies(self):
        rows = self.clickhouse.query("SELECT Body FROM otel_logs ORDER BY Body")
        return [body for (body,) in rows]

    def back_up(self, maker=None, **options):
        made = (maker or BackupMaker)(self.settings, self.ledger, self.clickhouse, self.place)
        pause = options.pop("pause", lambda: None)
        return back_up(made, full=options.get("full", False), pause=pause, go_on=lambda: None)

    def wipe(self):
        for each in self.ledger.all:
            with each.broker.reading() as client:
                client.flushall()
        empty(self.settings)

    def restore(self, name="", *, new_secret=False):
        wanted = chosen(self.place, name)
        check_files(self.place, wanted)
        restorer = Restorer(self.settings, self.clickhouse, self.place, wanted)
        restorer.check_possible(self.ledger, new_secret=new_secret)
        return restorer.restore(self.ledger)

    def close(self):
        self.inserter.close()
        self.clickhouse.close()
        self.ledger.close()


@pytest.fixture(scope="module")
def own_engine(tmp_path_factory, free_port, wait_until):
    """An engine whose tables these tests may drop."""
    ports = {"CLICKHOUSE_PORT": free_port(), "CLICKHOUSE_HTTP_PORT": free_port()}
    folder = tmp_path_factory.mktemp("engine")
    server = Server("embedded", folder, ports, wait_until)
    server.start()
    yield server, folder
    server.kill()


@pytest.fixture
def settings(own_engine, make_settings, valkey):
    server, folder = own_engine
    return make_settings(
        redis_url=valkey.url,
        data_dir=folder,
        clickhouse_port=server.ports["CLICKHOUSE_PORT"],
        clickhouse_http_port=server.ports["CLICKHOUSE_HTTP_PORT"],
    )


@pytest.fixture
def system(settings):
    made = System(settings)
    migrate(settings)
    made.wipe()
    shutil.rmtree(settings.backups_folder)
    settings.backups_folder.mkdir()
    yield made
    made.close()


class StoringBetween(BackupMaker):
    """Stores what waits after the ledger is read and before ClickHouse is."""

    store = staticmethod(lambda: None)

    def _write_ledger(self, *arguments):
        part = super()._write_ledger(*arguments)
        self.store()
        return part


def storing_between(system):
    class Maker(StoringBetween):
        store = staticmethod(system.store)

    return Maker


def test_what_was_stored_and_what_waits_is_there_once_after_a_restore(system):
    system.ledger.accept([entry(["stored"])])
    system.store()
    system.ledger.accept([entry(["waits"]), entry(["waits too"])])
    made = system.back_up()
    assert (made.tables["otel_logs"].rows, made.ledger.chunks, made.ledger.records) == (1, 2, 2)

    system.wipe()
    counted = system.restore()
    assert (counted.chunks, counted.records) == (2, 2)
    assert system.bodies() == ["stored"]
    assert system.ledger.waiting.stats().waiting_records == 2
    system.store()
    assert system.bodies() == ["stored", "waits", "waits too"]
    assert system.ledger.waiting.stats().waiting_bytes == 0


def test_what_is_stored_while_the_backup_is_made_is_not_stored_again(system):
    system.ledger.accept([entry(["one"]), entry(["two"])])
    made = system.back_up(storing_between(system))
    assert (made.tables["otel_logs"].rows, made.ledger.records) == (2, 2)

    system.wipe()
    system.restore()
    system.store()
    assert system.bodies() == ["one", "two"]


def test_restored_chunks_that_did_not_count_as_tried_would_be_stored_twice(system):
    asked = entry(["one"])
    system.ledger.accept([asked])
    system.back_up(storing_between(system))

    system.wipe()
    system.restore()
    with system.broker.reading() as client:
        client.hset(keys.CHUNK + asked.chunk.header.id, "tries", 0)
    system.store()
    assert system.bodies() == ["one", "one"]


def test_the_tables_read_before_the_ledger_would_lose_records(system):
    class WrongOrder(BackupMaker):
        """What a copy of the folders does if ClickHouse's is copied first."""

        def _write_ledger(self, *arguments):
            empty = super()._write_ledger(*arguments)
            system.ledger.accept([entry(["lost"])])
            return empty

    system.back_up(WrongOrder)
    system.wipe()
    system.restore()
    system.store()
    assert system.bodies() == []


def test_a_backup_adds_to_the_one_before_and_each_can_be_restored(system):
    names = []
    for number in range(3):
        system.ledger.accept([entry([f"{number}"])])
        system.store()
        made = system.back_up()
        assert made.base == (names[-1] if names else "")
        names.append(made.name)

    for number, name in enumerate(names):
        system.wipe()
        system.restore(name)
        assert system.bodies() == [f"{each}" for each in range(number + 1)]
    assert system.back_up(full=True).base == ""


def test_receipts_settings_jobs_and_counters_come_back(system):
    stored, waiting = entry(["stored"], requests=["a"]), entry(["waits"], requests=["b"])
    system.ledger.accept([stored])
    system.store()
    system.ledger.accept([waiting])
    book = JobBook(system.settings, system.broker)
    job = book.add(new_order("export", "acme", {}, unit="rows", asked_by="a test"))
    assert book.lease().job.order.id == job.order.id
    with system.broker.reading() as client:
        client.hset(keys.RETENTION, "acme", '{"logs": 5}')
        client.rpush(keys.AUDIT, *[f"{number}" for number in range(25_000)])
    usage = dict(UsageCounters(system.broker)._counted()[2])
    system.back_up()

    system.wipe()
    system.restore()
    ids = [each.chunk.header.id for each in (stored, waiting)]
    states = [system.ledger.receipts.status(each).state for each in ids]
    assert states == ["stored", "queued"]
    with system.broker.reading() as client:
        assert client.get(keys.REQUEST + "a").decode() == ids[0]
        assert 0 < client.pttl(keys.REQUEST + "b") <= system.settings.request_window * 1000
        assert client.hget(keys.RETENTION, "acme") == b'{"logs": 5}'
        assert client.llen(keys.AUDIT) == 25_000
        assert client.lindex(keys.AUDIT, 24_999) == b"24999"
    assert book.lease().job.order.id == job.order.id
    assert dict(UsageCounters(system.broker)._counted()[2]) == usage


def test_dead_letters_come_back_and_can_be_replayed(system):
    good = entry(["good"])
    system.ledger.accept([good])
    batch = system.ledger.seal()
    system.ledger.dead_letter(batch, good.chunk.header.id, "refused")
    made = system.back_up()
    assert (made.ledger.chunks, made.ledger.dead_letters) == (0, 1)

    system.wipe()
    system.restore()
    [letter] = system.ledger.dead_letters.newest()
    assert (letter.id, letter.reason) == (good.chunk.header.id, "refused")
    assert system.ledger.waiting.stats().waiting_chunks == 0
    assert system.ledger.dead_letters.replay(letter.id, "logs")
    system.store()
    assert system.bodies() == ["good"]


def test_while_a_backup_is_made_no_usage_moves_and_no_second_one_begins(system):
    system.ledger.accept([entry(["one"])])
    system.store()
    lock = BackupLock([system.broker], "another")
    assert lock.take()
    assert UsageCounters(system.broker).move(system.clickhouse) == 0
    with pytest.raises(BackupError, match="Another backup is being made"):
        system.back_up()
    lock.give_back()
    assert UsageCounters(system.broker).move(system.clickhouse) > 0
    system.back_up()


def test_a_backup_that_lost_its_lock_fails(system):
    system.ledger.accept([entry(["one"])])
    maker = BackupMaker(system.settings, system.ledger, system.clickhouse, system.place)
    begun = maker.begin()
    with system.broker.reading() as client:
        client.set(keys.BACKUP, "another")
    with pytest.raises(BackupError, match="a break of more than a minute"):
        maker.is_done(begun)
    with system.broker.reading() as client:
        client.delete(keys.BACKUP)


def test_a_system_with_records_is_not_restored_into(system):
    system.ledger.accept([entry(["one"])])
    system.back_up()
    with pytest.raises(BackupError, match="not empty: the broker has sheaf:"):
        system.restore()
    system.store()
    with pytest.raises(BackupError, match="not empty: otel_logs has 1 rows"):
        system.restore()
    assert system.bodies() == ["one"]


def test_a_running_system_is_not_restored_into(system):
    system.back_up()
    system.wipe()
    WorkerBook(system.broker).report(Worker("worker@here", 1, 1, keys.now_ms(), 1))
    with pytest.raises(BackupError, match="Sheaf is running"):
        system.restore()


def test_another_secret_is_refused_unless_it_is_accepted(system):
    system.back_up()
    system.wipe()
    secret = system.settings.data_dir / "secret"
    kept = secret.read_text()
    secret.write_text("0" * len(kept))
    try:
        with pytest.raises(BackupError, match="another SECRET_KEY"):
            system.restore()
        system.restore(new_secret=True)
    finally:
        secret.write_text(kept)


def test_the_check_finds_what_is_missing_or_damaged(system):
    system.ledger.accept([entry(["one"])])
    system.store()
    first, second = system.back_up(), system.back_up()
    folder = system.settings.backups_folder
    check_files(system.place, second)

    ledger = folder / second.name / "ledger.zst"
    whole = ledger.read_bytes()
    ledger.write_bytes(whole[:-1])
    with pytest.raises(BackupError, match=r"ledger.zst is damaged"):
        check_files(system.place, second)
    ledger.write_bytes(whole)

    [body] = (folder / first.name).glob("tables/data/*/otel_logs/*/data.bin")
    body.rename(body.with_name("away"))
    with pytest.raises(BackupError, match="lacks 1 files"):
        check_files(system.place, second)
    body.with_name("away").rename(body)

    content = bytearray(body.read_bytes())
    content[len(content) // 2] ^= 1
    body.write_bytes(content)
    restorer = Restorer(system.settings, system.clickhouse, system.place, first)
    with pytest.raises(BackupError, match="otel_logs has damaged parts"):
        restorer.check_tables("verify_damaged", lambda _: None)
    content[len(content) // 2] ^= 1
    body.write_bytes(content)
    restorer.check_tables("verify_whole", lambda _: None)

    shutil.rmtree(folder / first.name)
    with pytest.raises(BackupError, match=f"{first.name} is missing"):
        check_files(system.place, second)


def test_old_backups_are_deleted_when_no_kept_one_needs_them(system):
    system.settings = system.settings.model_copy(update={"backup_keep": 1})
    names = [system.back_up().name for _ in range(4)]
    kept = sorted(each.name for each in system.settings.backups_folder.iterdir())
    assert kept == names[2:]
    assert [each.name for each in recent_backups(system.broker)] == names[::-1]


def test_by_schedule_a_worker_makes_one_backup_when_it_is_due(system):
    settings = system.settings.model_copy(update={"backup_every_hours": 1.0})
    worker = JobWorker(settings, {"backup": make_backup})
    try:
        book = JobBook(settings, system.broker)
        assert not order_due(system.settings, book, system.broker)
        assert order_due(settings, book, system.broker)
        with system.broker.reading() as client:
            [job_id] = client.zrange(keys.JOBS, 0, -1)
        assert not order_due(settings, book, system.broker)
        while not recent_backups(system.broker):
            worker.runner.drain()
        [record] = recent_backups(system.broker)
        assert (record.error, record.place) == ("", str(settings.backups_folder))
        with system.broker.reading() as client:
            client.delete(keys.BACKUP_ORDERED)
        assert not order_due(settings, book, system.broker)
        while not (ended := book.one(EVERY_WORKSPACE, job_id.decode())).finished:
            worker.runner.drain()
        assert ended.state == "done", ended.error
        assert ended.result["backup"].endswith(record.name)
    finally:
        worker.close()


def test_the_manifest_says_what_is_in_the_backup(system):
    asked = entry(["one", "two"])
    system.ledger.accept([asked])
    system.store()
    made = system.back_up()
    text = json.loads((system.settings.backups_folder / made.name / "manifest.json").read_text())
    assert text["tables"]["otel_logs"]["rows"] == 2
    traces = text["tables"]["otel_traces"]
    assert (traces["rows"], traces["parts"]) == (0, 0)
    [(count,)] = system.clickhouse.query(
        "SELECT count() FROM otel_logs WHERE ChunkId = %(id)s",
        {"id": row_id(asked.chunk.header.id)},
    )
    assert count == 2
    assert text["clickhouse"].startswith("2")
    newest = migrations()[-1]
    assert text["schema"][-1]["version"] == newest.version
    assert text["schema"][-1]["checksum"] == newest.checksum


@pytest.fixture
def two(settings, new_valkey):
    """The same with two ledgers."""
    urls = f"{settings.redis_url},{new_valkey().url}"
    made = System(settings.model_copy(update={"redis_url": urls}))
    migrate(settings)
    made.wipe()
    shutil.rmtree(settings.backups_folder)
    settings.backups_folder.mkdir()
    yield made
    made.close()


def workspaces_of(ledgers):
    """A workspace of each ledger."""
    return [next(w for n in range(99) if ledgers.of(w := f"w{n}") is each) for each in ledgers.all]


def test_a_backup_has_all_ledgers_and_is_restored_into_as_many(two):
    made = [entry([each], workspace=each) for each in workspaces_of(two.ledger)]
    stored = [entry([f"{each} before"], workspace=each) for each in workspaces_of(two.ledger)]
    for each in [*stored, *made]:
        two.ledger.of(each.chunk.header.workspace_id).accept([each])
    backup = two.back_up(storing_between(two))
    assert (backup.ledger.chunks, backup.ledger.ledgers) == (4, 2)

    two.wipe()
    one = System(
        two.settings.model_copy(update={"redis_url": two.settings.ledger_addresses[0].url})
    )
    with pytest.raises(BackupError, match="The backup has 2 ledgers, and REDIS_URL names 1"):
        one.restore()
    one.close()
    assert two.restore().records == 4
    assert [each.waiting.stats().waiting_chunks for each in two.ledger.all] == [2, 2]
    for each in made:
        known = two.ledger.of(each.chunk.header.workspace_id).receipts.known(each.requests)
        assert known == {each.requests[0]: each.chunk.header.id}
    two.store()
    assert sorted(two.bodies()) == sorted(
        text for each in workspaces_of(two.ledger) for text in (each, f"{each} before")
    )


def test_a_backup_holds_its_lock_in_every_ledger(two):
    lock = BackupLock([two.ledger.all[1].broker], "another")
    assert lock.take()
    with pytest.raises(BackupError, match="Another backup is being made"):
        two.back_up()
    with two.broker.reading() as client:
        assert not client.exists(keys.BACKUP)
    lock.give_back()
    two.back_up()
