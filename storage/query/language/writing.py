"""Writes names and values so that the parser reads them back."""

import re

from storage.query.language.fields import Attribute, Fields
from storage.query.language.literal import is_no_field
from storage.query.language.place import EXISTS

_BARE_VALUE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_]*([.@-][A-Za-z0-9_]+)*")
_BARE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*([.-][A-Za-z0-9_]+)*")
_OPERATORS = {"AND", "OR", "NOT", "TO"}


def written_value(value: str) -> str:
    """A value as the query language takes it: quoted if needed."""
    if _BARE_VALUE.fullmatch(value) and value not in _OPERATORS:
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def written_attribute(name: str, fields: Fields) -> str:
    """An attribute's name as the query language takes it, for either map; empty if it cannot."""
    of_either = Attribute(name, (fields.own, fields.resource))
    is_bare = _BARE_NAME.fullmatch(name) and name not in _OPERATORS | {EXISTS}
    if is_bare and not is_no_field(name) and fields.named(name) == of_either:
        return name
    if not re.search(r"[\]:]", name):
        return f"attributes[{name}]"
    return ""
