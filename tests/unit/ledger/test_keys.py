"""Keys of the broker are named in one module, for Python and for the scripts."""

import re

from ledger import keys

FOLDERS = (
    *("access", "cli", "config", "embedded", "ingest", "ledger", "serving", "storage", "tasks"),
    *("web", "worker"),
)


def test_no_other_file_spells_a_key(project_root):
    key = re.compile(r"""['"]sheaf:""")
    files = []
    for folder in FOLDERS:
        files += (project_root / folder).rglob("*.py")
        files += (project_root / folder).rglob("*.lua")
    assert files

    found = [file for file in files if key.search(file.read_text(encoding="utf-8"))]

    assert found == [project_root / "ledger" / "keys.py"]


def test_every_key_that_a_script_names_is_known(project_root):
    for file in (project_root / "ledger" / "scripts").glob("*.lua"):
        text = keys.in_script(file.read_text(encoding="utf-8"))
        assert "keys." not in text, file
