"""A backup whose tables this version of Sheaf does not know is not restored."""

import pytest

from config.settings import Settings
from storage.backup.place import BackupError
from storage.schema.files import migrations
from storage.schema.state import Applied
from tasks.backup.manifest import VERSION, LedgerPart, Manifest
from tasks.backup.restore import Restorer

NEWEST = migrations()[-1]


def restorer(*applied):
    made = Manifest(
        version=VERSION,
        name="b",
        sheaf="1",
        clickhouse="26",
        schema=applied,
        database="another",
        began_ms=0,
        ended_ms=1,
        base="",
        full="b",
        secret="",
        ledger=LedgerPart("", 0, 0, 0, 0, 0),
        tables={},
        list_sha256="",
        files=0,
        own_bytes=0,
        row_counts={},
    )
    # The schema and the name of the database are looked at before both stores.
    return Restorer(Settings(), None, None, made)


def refused(*applied):
    with pytest.raises(BackupError) as error:
        restorer(*applied).check_possible(None, new_secret=False)
    return str(error.value)


def test_a_backup_with_a_newer_schema_is_refused():
    told = refused(Applied(9999, "9999_later.sql", "x", 9999))
    assert told.startswith("The backup has a newer schema, 9999_later.sql, than this version")


def test_a_backup_whose_migration_had_another_text_is_refused():
    told = refused(Applied(NEWEST.version, NEWEST.name, "another", NEWEST.needs))
    assert told.startswith(f"{NEWEST.name} was changed")


def test_a_newer_migration_that_this_version_can_run_beside_is_no_reason():
    told = refused(Applied(9999, "9999_later.sql", "x", NEWEST.version))
    assert told.startswith("The backup is of the database another")
