"""Every setting with its value, default and meaning, for the terminal and for docs/settings.md."""

from pathlib import Path

from config.broker_url import apart
from config.settings import Settings

_SECRET = "*****"  # noqa: S105 - what is printed in place of one

_HEAD = """\
# Settings

Sheaf reads its settings from the environment, once, when a process starts. All have defaults:
with none set, `sheaf run` starts its own ClickHouse and Valkey. With an invalid value, a process
does not start, and the error names the setting. `sheaf settings` prints the current values.

| Setting | Default | Meaning |
|---|---|---|
"""

_FOOT = """
This page is the output of `sheaf settings --markdown`; a test compares the two.
"""


def text(settings: Settings) -> str:
    """Two lines per setting: its value, then its meaning. Secrets are hidden."""
    return "".join(_entry(settings, name) for name in Settings.model_fields)


def _entry(settings: Settings, name: str) -> str:
    value, default = _value(settings, name), _shown(Settings.model_fields[name].default)
    note = "" if value == default else f"   (default: {default or 'empty'})"
    return f"{name.upper()}={value}{note}\n    {Settings.model_fields[name].description}\n"


def markdown() -> str:
    """The page docs/settings.md."""
    return _HEAD + "".join(_row(name) for name in Settings.model_fields) + _FOOT


def _row(name: str) -> str:
    field = Settings.model_fields[name]
    default = _shown(field.default)
    meaning = (field.description or "").replace("|", r"\|")
    return f"| `{name.upper()}` | {f'`{default}`' if default else 'empty'} | {meaning} |\n"


def _value(settings: Settings, name: str) -> str:
    shown = _shown(getattr(settings, name))
    if not Settings.model_fields[name].repr:
        return _SECRET if shown else ""
    if name.endswith("_url"):
        return ",".join(map(_without_password, apart(shown)))
    return shown


def _without_password(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    login, at, place = rest.rpartition("@")
    user, colon, _ = login.partition(":")
    return f"{scheme}{separator}{user}{colon}{_SECRET if colon else ''}{at}{place}"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (str, int, float, Path)) else repr(value)
