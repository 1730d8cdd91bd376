import datetime as dt

from tasks.backup.manifest import VERSION, LedgerPart, Manifest, new_name
from tasks.backup.series import base_for_next, chain_of, unneeded


def backup(name, base="", full=None, database="sheaf"):
    return Manifest(
        version=VERSION,
        name=name,
        sheaf="1",
        clickhouse="26",
        schema=(),
        database=database,
        began_ms=0,
        ended_ms=1,
        base=base,
        full=full or name,
        secret="",
        ledger=LedgerPart("", 0, 0, 0, 0, 0),
        tables={},
        list_sha256="",
        files=0,
        own_bytes=0,
        row_counts={},
    )


def series(count, keep):
    """The backups that are there after `count` were made, the oldest first, and all their bases."""
    found, bases = [], []
    for number in range(count):
        base = base_for_next(found, "sheaf", keep)
        name = f"{number:03}"
        found.append(backup(name, base.name if base else "", base.full if base else name))
        bases.append(found[-1].base)
        gone = unneeded(found, keep)
        found = [each for each in found if each.name not in gone]
    return found, bases


def names(found):
    return [each.name for each in found]


def test_the_first_backup_is_full_and_the_next_ones_add_to_the_one_before():
    found, bases = series(4, keep=5)
    assert bases == ["", "000", "001", "002"]
    assert names(found) == ["000", "001", "002", "003"]


def test_after_as_many_incremental_ones_as_are_kept_the_next_is_full():
    _, bases = series(9, keep=3)
    assert [number for number, base in enumerate(bases) if not base] == [0, 4, 8]


def test_a_kept_backup_always_has_what_it_adds_to():
    for keep in (1, 2, 3, 7):
        for count in range(1, 30):
            found, _ = series(count, keep)
            assert len(found) >= min(count, keep)
            assert len(found) <= 2 * keep + 1
            for each in found[-keep:]:
                assert not chain_of(found, each.name)[-1].base


def test_backups_are_deleted_before_those_that_they_add_to():
    found = [backup("0"), backup("1", "0", "0"), backup("2", "1", "0"), backup("3")]
    assert unneeded(found, 1) == ["2", "1", "0"]


def test_a_backup_of_another_database_is_no_base():
    assert base_for_next([backup("0", database="other")], "sheaf", 5) is None


def test_names_are_in_the_order_of_time():
    moment = dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC)
    assert new_name(moment) == "2026-01-02T03-04-05.000006Z"
    assert new_name(moment) < new_name(moment + dt.timedelta(microseconds=1))
