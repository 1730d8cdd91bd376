"""Names of parameters: aliases, attributes with dots, and repetitions.

For query parameters and JSON bodies alike; `storage.query.vocabulary` has the aliases.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import marshmallow as ma
from flask import g, has_request_context

from storage.query.language.fields import LOGS
from storage.query.vocabulary import OTHER_NAMES, did_you_mean
from web.http.errors import WrongParameterError, name_as_given

FIELDS = "where"
"""The parameter that holds fields by name in the search language."""

UNKNOWN = "Unknown parameter."

_ATTRIBUTES = "attributes"
_KEYED = re.compile(rf"{FIELDS}\[(.*)\]", re.DOTALL)


class Repeated(list[str]):
    """The values of a query parameter that was given more than once."""


def with_known_names(given: Mapping[str, Any], schema: ma.Schema) -> dict[str, Any]:
    """Arguments under the names that a schema has for them.

    Raises:
        WrongParameterError: two names mean the same parameter.
    """
    known = known_names(schema)
    found: dict[str, Any] = {}
    for name, value in given.items():
        place = _place_of(name, known)
        if isinstance(place, tuple):
            _put(found.setdefault(place[0], {}), place[1], value, name)
        elif place in given and place != name:
            raise WrongParameterError(name, f"Also given as {place}. Give it once.")
        elif place in found:
            raise WrongParameterError(name, f"Also given as {name_as_given(place)}. Give it once.")
        else:
            found[place] = value
            _remember(place, name)
    return found


def known_names(schema: ma.Schema) -> set[str]:
    """The parameters of a schema, without aliases."""
    return {field.data_key or name for name, field in schema.load_fields.items()}


def all_names(schema: ma.Schema) -> list[str]:
    """The parameters of a schema, with aliases."""
    known = known_names(schema)
    return sorted(known.union(*(OTHER_NAMES.get(name, ()) for name in known)))


def wrong_names(schema: ma.Schema, messages: dict[str, Any], given: object) -> None:
    """Replace the library's messages on unknown and repeated parameters by helpful ones."""
    for name, texts in messages.items():
        value = given.get(name) if isinstance(given, Mapping) else None
        if texts == [UNKNOWN]:
            hint = did_you_mean(str(name), all_names(schema))
            messages[name] = [f"{UNKNOWN} {hint}".strip()]
        elif isinstance(value, Repeated):
            messages[name] = [_repeated(value)]
        elif isinstance(value, dict) and isinstance(texts, dict):
            repeated = {key: each for key, each in value.items() if isinstance(each, Repeated)}
            texts.update({key: [_repeated(each)] for key, each in repeated.items()})


def _repeated(values: Iterable[str]) -> str:
    return f"Given more than once: {', '.join(values)}. Give one value."


def _place_of(name: str, known: set[str]) -> str | tuple[str, str]:
    """A schema's name for a parameter; for a keyed one, the parameter and its key."""
    if name in known:
        return name
    if keyed := _keyed(name, known):
        return keyed
    found = (each for each, aliases in OTHER_NAMES.items() if name in aliases and each in known)
    return next(found, name)


def _keyed(name: str, known: set[str]) -> tuple[str, str] | None:
    attribute = LOGS.attribute(name)
    of_both = attribute is not None and len(attribute.maps) > 1
    if attribute and _ATTRIBUTES in known and (of_both or FIELDS not in known):
        return None if name.startswith("resource") else (_ATTRIBUTES, attribute.name)
    if FIELDS not in known:
        return None
    match = _KEYED.fullmatch(name)
    return (FIELDS, match[1] if match else name) if attribute or match else None


def _put(found: object, key: str, value: object, name: str) -> None:
    if not isinstance(found, dict):
        raise WrongParameterError(_ATTRIBUTES, "Give JSON or single keys, not both.")
    if key in found:
        raise WrongParameterError(name, "Given twice. Give it once.")
    found[key] = value


def _remember(place: str, name: str) -> None:
    if place != name and has_request_context():
        g.setdefault("names_as_given", {})[place] = name
