import stat

import msgspec

from access.key import Key, hashed, new_token
from access.secret import installation_secret
from config.settings import Settings
from ledger.shared import later

KEY = Key(id="a", digest="d", scopes=("read",))


def test_a_token_shows_its_id_and_no_two_are_equal():
    tokens = [new_token() for _ in range(100)]
    assert len(set(tokens)) == 100
    for token, key_id in tokens:
        assert token.startswith(f"sheaf_{key_id}_")


def test_the_hash_depends_on_the_token_and_on_the_secret():
    hashes = {
        hashed(token, secret) for token in ("one", "two") for secret in (b"a" * 32, b"b" * 32)
    }
    assert len(hashes) == 4


def test_a_key_is_valid_until_it_expires_or_is_revoked():
    assert KEY.valid_at(10**15)
    assert msgspec.structs.replace(KEY, expires_ms=1000).valid_at(999)
    assert not msgspec.structs.replace(KEY, expires_ms=1000).valid_at(1000)
    assert not msgspec.structs.replace(KEY, revoked_ms=1).valid_at(0)


def test_of_two_versions_the_later_holds_and_no_change_replaces_a_revocation():
    first = KEY.changed()
    second = first.changed(name="renamed")
    assert later(first, second) == later(second, first) == second

    revoked = first.revoked()
    assert revoked.revoked() == revoked
    for merged in (later(revoked, second.changed()), later(second.changed(), revoked)):
        assert merged == revoked


def test_the_secret_is_made_once_for_its_owner_only(tmp_path):
    settings = Settings(data_dir=tmp_path / "data")
    first = installation_secret(settings)
    assert installation_secret(settings) == first
    assert len(first) == 32

    [file] = (tmp_path / "data").iterdir()
    mode = file.stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_a_given_secret_is_used_and_makes_no_file(tmp_path):
    one, other = (
        installation_secret(Settings(data_dir=tmp_path, secret_key=text * 32)) for text in "ab"
    )
    assert one != other
    assert list(tmp_path.iterdir()) == []
