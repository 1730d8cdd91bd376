"""The settings that the documentation shows can be used."""

import pytest

from config.settings import Settings, load
from tests.blocks import checked_by


@pytest.mark.parametrize("block", checked_by("test_documented_settings_are_accepted"), ids=str)
def test_documented_settings_are_accepted(monkeypatch, block):
    known = {name.upper() for name in Settings.model_fields}
    for name in known:
        monkeypatch.delenv(name, raising=False)
    given = dict(line.split("=", 1) for line in block.text.splitlines())
    assert given
    assert given.keys() <= known
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    load()
