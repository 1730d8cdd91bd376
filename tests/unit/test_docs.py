"""Files that the documentation names exist."""

import re

import pytest

from config.settings import Settings
from tests.blocks import BLOCKS, CHECKS, DOCUMENTS, ROOT, checked_by

TOP = {each.name for each in ROOT.iterdir()}


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_and_every_path_leads_somewhere(page):
    text = page.read_text(encoding="utf-8")

    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]
    broken_links = [link for link in links if not (page.parent / link).exists()]
    assert broken_links == []

    # A path begins with what is at the top of the repository; data/ is made on the first run.
    paths = re.findall(r"`([A-Za-z_.]+(?:/[\w.-]+)+/?)`", text)
    ours = [path for path in paths if path.partition("/")[0] in TOP - {"data"}]
    broken_paths = [path for path in ours if not (ROOT / path).exists()]
    assert broken_paths == []


def test_a_record_reaches_its_table_in_at_most_nine_files():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    _, _, section = text.partition("## From the door to the table")
    table, _, _ = section.partition("Beside that path")

    files = re.findall(r"^\| \*\*.*?\*\*.*\| \[`([^`]+)`\]", table, re.MULTILINE)

    assert files[0].startswith("ingest/doors/")
    assert files[-1] == "storage/clickhouse/insert.py"
    assert len(files) == len(set(files)) <= 9


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_every_code_block_is_checked_by_a_test(block):
    assert block.check, f"no row of tests/blocks.py fits its language, {block.language!r}"
    path, name = block.check
    test = (ROOT / path).read_text(encoding="utf-8")
    assert f"def {name}(" in test
    assert f'checked_by("{name}")' in test


def test_every_check_has_a_block():
    assert {block.check for block in BLOCKS} == {tuple(test) for _, _, *test in CHECKS}


def test_the_ports_of_the_diagram():
    [diagram] = checked_by("test_the_ports_of_the_diagram")
    ports = {str(f.default) for name, f in Settings.model_fields.items() if name.endswith("_port")}
    named = re.findall(r"\d+", diagram.text)
    assert named
    assert set(named) <= ports
