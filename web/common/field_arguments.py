"""Parameters that are fields: severity, ids, and fields by name."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import marshmallow as ma

from storage.query.language import fields as language
from storage.query.language.check import refusal
from storage.query.language.tree import Comparison, Equals
from storage.severity import LEVELS, MAX_NUMBER, NUMBERS_A_LEVEL, places_of
from web.http.arguments import NAME, Attributes, Text, Whole, described

TRACE_ID = re.compile(r"[0-9A-Fa-f]{1,128}")
NO_TRACE_ID = "Not a trace id: must be 32 hexadecimal digits."
FIELD_PARAMETERS = ("app", "service_version", "scope_name", "span_id", "pattern")
"""Parameters with the same name as their field in the search language."""

_NO_SPAN_ID = "Not a span id: must be 16 hexadecimal digits."


class MinSeverity(Whole):
    """A severity number, or the name of a level, which stands for its lowest number."""

    def __init__(self) -> None:
        error = f"Must be a number from 1 to {MAX_NUMBER}, or {', '.join(LEVELS).lower()}."
        text = (
            "Minimum severity: a number (9 is INFO, 13 WARN, 17 ERROR) or the name of a level. "
            "Without a severity number, a record's severity text counts."
        )
        number = {"type": "integer", "minimum": 1, "maximum": MAX_NUMBER}
        names = {"type": "string", "enum": [name.lower() for name in LEVELS]}
        about = {"anyOf": [number, names], **described(text)}
        super().__init__(1, MAX_NUMBER, error=error, metadata=about)
        self.error_messages["invalid"] = error

    def _deserialize(
        self,
        value: object,
        attr: str | None,
        data: Mapping[str, Any] | None,
        **kwargs: Any,  # noqa: ANN401 - marshmallow's
    ) -> int:
        places = places_of(value) if isinstance(value, str) else ()
        if any(places):
            return NUMBERS_A_LEVEL * (places[0] - 1) + 1
        return super()._deserialize(value, attr, data, **kwargs)


class NamedFields(Attributes):
    """Fields by name in the search language, and the values to match."""

    def __init__(self, names: language.Fields) -> None:
        text = (
            "Fields by name in the search language, see docs/search.md. An attribute can also be a "
            "parameter: `attributes.region=eu` (of the record), `resource.region=eu` (of its "
            "resource), `attributes[region]=eu` (of either)."
        )
        about = {**described(text), "example": {"resource.region": "eu"}}
        value = Text(validate=ma.validate.Length(0, 4096))
        super().__init__(keys=Text(validate=NAME), values=value, metadata=about)
        self._names = names

    def _deserialize(
        self,
        value: object,
        attr: str | None,
        data: Mapping[str, Any] | None,
        **kwargs: Any,  # noqa: ANN401 - marshmallow's
    ) -> dict[Any, Any]:
        loaded = super()._deserialize(value, attr, data, **kwargs)
        for name, text in loaded.items():
            if reason := _refusal(self._names.named(name), text):
                raise ma.ValidationError({name: [reason]})
        return loaded


def pattern_parameter(description: str) -> Text:
    """A template of log records."""
    return Text(
        validate=(ma.validate.Length(0, 4096), _check_template), metadata=described(description)
    )


def _check_template(text: str) -> None:
    if reason := _refusal(language.LOGS.named("pattern"), text):
        raise ma.ValidationError(reason)


def _refusal(field: language.Field, text: str) -> str:
    return refusal(Comparison(field, Equals(text)))


def trace_id_parameter(description: str) -> Text:
    """A trace id, in either case."""
    return _id_parameter(NO_TRACE_ID, description)


def span_id_parameter(description: str) -> Text:
    """A span id, in either case."""
    return _id_parameter(_NO_SPAN_ID, description)


def _id_parameter(error: str, description: str) -> Text:
    rule = ma.validate.Regexp(rf"{TRACE_ID.pattern}\Z", error=error)
    return Text(validate=rule, metadata=described(description))


class Choice(ma.fields.String):
    """One of `words`, which are lower case, in any case. `text` is the description."""

    def __init__(self, words: Iterable[str], text: str, **about: Any) -> None:  # noqa: ANN401 - an example
        rule = ma.validate.OneOf(list(words))
        super().__init__(validate=rule, metadata={**described(text), **about})

    def _deserialize(
        self,
        value: object,
        attr: str | None,
        data: Mapping[str, Any] | None,
        **kwargs: Any,  # noqa: ANN401 - marshmallow's
    ) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        return text.lower()


def named_fields(
    arguments: Mapping[str, Any], parameters: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    """Fields of the search language in the arguments, with their values.

    Args:
        arguments: the checked arguments.
        parameters: those with the same name as their field.
    """
    by_parameter = {name: arguments[name] for name in parameters if name in arguments}
    return tuple(sorted([*arguments.get("where", {}).items(), *by_parameter.items()]))
