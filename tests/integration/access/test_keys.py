"""Keys in both stores, either of which may be away."""

import base64
import socket

import pytest

from access.principal import KeysUnavailableError, NotAuthenticatedError
from access.store import Grant, KeyStore
from access.view import ADMIN_KEY_ID, KeyView
from ledger.broker import Broker
from ledger.shared import SharedError
from storage.clickhouse.client import Clickhouse

pytestmark = pytest.mark.integration

READER = Grant(("read",), "reader", "acme")


@pytest.fixture
def closing():
    """Close connections in the end."""
    opened = []
    yield opened.append
    for each in opened:
        each.close()


@pytest.fixture
def settings(stores, clickhouse, tmp_path):
    clickhouse.query("TRUNCATE TABLE shared")
    return stores(auth="keys", secret_key="s" * 32, data_dir=tmp_path)


@pytest.fixture
def open_store(settings, closing, free_port):
    """Open the key store; a store that is away has a port where nothing listens."""

    def open_one(*away):
        gone = {
            "broker": {"redis_url": f"redis://127.0.0.1:{free_port()}/0"},
            "clickhouse": {"clickhouse_port": free_port()},
        }
        broker_settings, clickhouse_settings = (
            settings.model_copy(update=gone[name] if name in away else {})
            for name in ("broker", "clickhouse")
        )
        broker, clickhouse = Broker(broker_settings), Clickhouse(clickhouse_settings)
        closing(broker)
        closing(clickhouse)
        return KeyStore(settings, broker, clickhouse)

    return open_one


@pytest.fixture
def view_of(settings):
    """What a process that starts now knows of a key store."""

    def look(store):
        view = KeyView(settings, store)
        view.refresh()
        return view

    return look


def is_valid(view, token):
    try:
        view.principal(f"Bearer {token}")
    except NotAuthenticatedError:
        return False
    return True


def test_a_key_is_shown_once_and_kept_as_a_hash(open_store, clickhouse, valkey):
    token, key = open_store().create(READER, "tests")
    secret = token.rpartition("_")[2]
    kept = f"{clickhouse.query('SELECT * FROM shared')}"
    kept += "".join(f"{valkey.client.hgetall(name)}" for name in valkey.client.keys("*shared:*"))

    assert key.id in token
    assert key.id in kept
    assert secret not in kept


def test_a_key_gives_its_principal_in_every_process(open_store, view_of):
    token, key = open_store().create(READER, "tests")
    principal = view_of(open_store()).principal(f"Bearer {token}")
    assert (principal.id, principal.name, principal.workspace_id) == (key.id, "reader", "acme")
    assert principal.scopes == {"read"}


def test_garbage_is_refused(open_store, view_of):
    token, _ = open_store().create(READER, "tests")
    view = view_of(open_store())
    for garbage in ("x", token[:-1], token + "x", token.upper()):
        assert not is_valid(view, garbage)


def test_a_new_key_and_a_revocation_reach_a_running_process(open_store, view_of, wait_until):
    store = open_store()
    view = view_of(open_store())
    view.start()
    token, key = store.create(READER, "tests")
    wait_until(lambda: is_valid(view, token))

    store.revoke(key)
    wait_until(lambda: not is_valid(view, token))
    view.stop()


@pytest.mark.parametrize("away", ["broker", "clickhouse"])
def test_a_key_that_is_rotated_while_it_is_revoked_stays_revoked(open_store, view_of, away):
    store = open_store()
    token, key = store.create(READER, "tests")
    store.revoke(key)
    store.rotate(key, 3600, "tests")
    assert not is_valid(view_of(open_store(away)), token)


def test_a_rotated_key_stays_valid_for_the_overlap(open_store, view_of):
    store = open_store()
    old_token, old = store.create(READER, "tests")
    new_token, new = store.rotate(old, 3600, "tests")
    ended_token, _ = store.rotate(new, 0, "tests")

    view = view_of(open_store())
    assert is_valid(view, old_token)
    assert not is_valid(view, new_token)
    assert is_valid(view, ended_token)


@pytest.mark.parametrize("away", ["broker", "clickhouse"])
def test_a_process_that_starts_while_a_store_is_away_knows_keys_and_revocations(
    open_store, view_of, away
):
    store = open_store()
    valid, _ = store.create(READER, "tests")
    revoked, key = store.create(READER, "tests")
    store.revoke(key)

    view = view_of(open_store(away))
    assert is_valid(view, valid)
    assert not is_valid(view, revoked)


@pytest.mark.parametrize("away", ["broker", "clickhouse"])
def test_what_is_written_to_one_store_only_is_an_error_and_a_revocation_holds_all_the_same(
    open_store, view_of, away
):
    token, key = open_store().create(READER, "tests")
    crippled = open_store(away)
    running = view_of(open_store(away))
    assert is_valid(running, token)

    with pytest.raises(SharedError, match=r"cannot be written.*Repeat this until it succeeds"):
        crippled.revoke(key)
    running.refresh()
    assert not is_valid(running, token)
    with pytest.raises(SharedError, match="No key was made"):
        crippled.create(READER, "tests")


@pytest.mark.parametrize("away", ["broker", "clickhouse"])
def test_reconciling_brings_a_revocation_to_the_store_that_missed_it(open_store, view_of, away):
    token, key = open_store().create(READER, "tests")
    with pytest.raises(SharedError):
        open_store(away).revoke(key)

    assert open_store().table.reconcile() == 1
    assert open_store().table.reconcile() == 0
    other = "clickhouse" if away == "broker" else "broker"
    assert not is_valid(view_of(open_store(other)), token)


def test_a_broker_that_lost_everything_gets_the_keys_back(open_store, view_of, valkey):
    token, _ = open_store().create(READER, "tests")
    valkey.client.flushall()
    assert open_store().table.reconcile() == 1
    assert is_valid(view_of(open_store("clickhouse")), token)


def test_while_not_all_keys_could_be_read_an_unknown_one_is_not_called_invalid(open_store, view_of):
    view = view_of(open_store("broker", "clickhouse"))
    with pytest.raises(KeysUnavailableError, match="ClickHouse and the broker could not be read"):
        view.principal("Bearer sheaf_unknown")


def test_the_given_admin_key_is_valid_without_any_store(settings, open_store):
    with_key = settings.model_copy(update={"sheaf_admin_key": "a" * 32})
    view = KeyView(with_key, open_store("broker", "clickhouse"))
    view.refresh()
    principal = view.principal("Bearer " + "a" * 32)
    assert principal.id.startswith(ADMIN_KEY_ID)
    principal.check("admin")
    principal.check_everywhere()


def test_another_admin_key_is_another_principal_so_that_sessions_of_the_old_one_end(
    settings, open_store
):
    old, new = (
        KeyView(settings.model_copy(update={"sheaf_admin_key": text * 32}), open_store())
        for text in "ab"
    )
    new.refresh()
    session = old.principal("Bearer " + "a" * 32).id
    assert old.by_id(session)
    assert new.by_id(session) is None


def test_a_session_is_not_called_invalid_while_not_all_keys_could_be_read(open_store, view_of):
    _, key = open_store().create(READER, "tests")
    with pytest.raises(KeysUnavailableError):
        view_of(open_store("broker", "clickhouse")).by_id(key.id)
    assert view_of(open_store("broker")).by_id(key.id)


def test_a_revocation_reaches_a_process_while_clickhouse_hangs(
    settings, open_store, closing, wait_until
):
    """It takes connections and answers nothing, unlike one that is away."""
    store = open_store()
    token, key = store.create(READER, "tests")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        hanging = Clickhouse(settings.model_copy(update={"clickhouse_port": port}))
        broker = Broker(settings)
        closing(broker)
        view = KeyView(settings, KeyStore(settings, broker, hanging))
        for thread in view._view._threads:
            thread.start()
        wait_until(lambda: _is_known(view, token))
        taken, _ = silent.accept()
        store.revoke(key)
        wait_until(lambda: not is_valid(view, token))
        taken.close()
    view.stop()
    hanging.close()


def _is_known(view, token):
    try:
        return is_valid(view, token)
    except KeysUnavailableError:
        return False


def test_many_and_long_headers_with_one_key_take_little_memory(open_store, view_of):
    token, _ = open_store().create(READER, "tests")
    view = view_of(open_store())
    for user in ("", "u" * 10_000, *(f"u{number}" for number in range(20_000))):
        password = base64.b64encode(f"{user}:{token}".encode()).decode()
        assert view.principal(f"Basic {password}").workspace_id == "acme"
    assert len(view._remembered) <= 10_000
    assert max(map(len, view._remembered)) <= 256
