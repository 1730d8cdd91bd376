import pytest

from cli.settings_table import markdown
from config.settings import Settings


@pytest.fixture
def page(project_root):
    return (project_root / "docs" / "settings.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_every_setting_is_documented_with_its_meaning(page, name):
    field = Settings.model_fields[name]
    assert field.description
    assert f"| `{name.upper()}` |" in page
    assert field.description.replace("|", r"\|") in page


def test_the_page_is_what_the_command_prints(page):
    assert page == markdown(), "run `make fix`"
