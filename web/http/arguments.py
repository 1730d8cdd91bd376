"""Query parameters and JSON bodies with the same fields."""

import json
import re
from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Request
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from web.http.errors import WrongParameterError
from web.http.names import Repeated, with_known_names

_DIGITS = re.compile(r"-?[0-9]{1,19}")
_PIECE = re.compile(r'\s*(?:"((?:[^"]|"")*)"\s*|([^,]*)),')
_MOST_ATTRIBUTES = 20
_UNTYPED = {"", "application/x-www-form-urlencoded", "text/plain", "application/octet-stream"}


class Text(ma.fields.String):
    """Text that can be encoded in UTF-8, unlike a lone surrogate."""

    default_error_messages = {"unicode": "Not valid Unicode text."}  # noqa: RUF012 - marshmallow's

    def _deserialize(
        self,
        value: object,
        attr: str | None,
        data: Mapping[str, Any] | None,
        **kwargs: Any,  # noqa: ANN401 - marshmallow's
    ) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        try:
            text.encode()
        except UnicodeEncodeError:
            raise self.make_error("unicode") from None
        return text


class Whole(ma.fields.Integer):
    """A whole number; in a query, in decimal digits."""

    def __init__(self, least: int, most: int, error: str | None = None, **kwargs: Any) -> None:  # noqa: ANN401 - marshmallow's
        rule = ma.validate.Range(least, most, error=error)
        super().__init__(strict=True, validate=rule, **kwargs)

    def _deserialize(
        self,
        value: object,
        attr: str | None,
        data: Mapping[str, Any] | None,
        **kwargs: Any,  # noqa: ANN401 - marshmallow's
    ) -> int:
        if isinstance(value, bool) or (isinstance(value, str) and not _DIGITS.fullmatch(value)):
            raise self.make_error("invalid")
        number = int(value) if isinstance(value, str) else value
        return super()._deserialize(number, attr, data, **kwargs)


class Texts(ma.fields.List[str]):
    """One or more texts; in a query, repeated or separated by commas.

    A text with a comma needs double quotes, or a list in a JSON body.
    """

    def _deserialize(
        self,
        value: object,
        attr: str | None,
        data: Mapping[str, Any] | None,
        **kwargs: Any,  # noqa: ANN401 - marshmallow's
    ) -> list[Any]:
        if isinstance(value, list) and not isinstance(value, Repeated):
            return super()._deserialize(value, attr, data, **kwargs)
        parts = value if isinstance(value, list) else [value]
        split = [
            piece
            for part in parts
            for piece in (_pieces(part) if isinstance(part, str) else [part])
        ]
        return super()._deserialize(split, attr, data, **kwargs)


class Attributes(ma.fields.Dict):
    """Keys and scalar values; in a query, JSON or repeated `attributes[key]=value`.

    Values become texts as they are stored: numbers as in JSON, `true` and `false`.
    """

    default_error_messages = {  # noqa: RUF012 - marshmallow's
        "json": "Not a JSON object.",
        "many": f"At most {_MOST_ATTRIBUTES} attributes.",
    }

    def _deserialize(
        self,
        value: object,
        attr: str | None,
        data: Mapping[str, Any] | None,
        **kwargs: Any,  # noqa: ANN401 - marshmallow's
    ) -> dict[Any, Any]:
        content = self._parsed(value) if isinstance(value, str) else value
        if isinstance(content, dict):
            if len(content) > _MOST_ATTRIBUTES:
                raise self.make_error("many")
            content = {key: _as_text(inner) for key, inner in content.items()}
        loaded: dict[Any, Any] = super()._deserialize(content, attr, data, **kwargs)  # type: ignore[no-untyped-call]
        return loaded

    def _parsed(self, text: str) -> object:
        try:
            content: object = json.loads(text)
        except ValueError:
            raise self.make_error("json") from None
        return content


class ArgumentsParser(FlaskParser):
    """Reads arguments strictly: unknown ones are refused, in the query and in the body."""

    DEFAULT_UNKNOWN_BY_LOCATION = {"query": ma.RAISE, "json": ma.RAISE}  # noqa: RUF012 - webargs'

    def load_querystring(self, req: Request, schema: ma.Schema) -> dict[str, Any]:
        """Query parameters by name; a repeated one as a list, `attributes[...]` as an object."""
        given = {
            name: values[0] if len(values) == 1 else Repeated(values)
            for name, values in req.args.lists()
        }
        return with_known_names(given, _instance(schema))

    def load_json(self, req: Request, schema: ma.Schema) -> object:
        """The JSON body; an empty one is an empty object."""
        for name in req.args:
            raise WrongParameterError(name, "Send this in the JSON body.")
        text = req.get_data()
        if not text:
            return {}
        if not (req.is_json or _is_untyped(req)):
            raise UnsupportedMediaType("Send JSON, with Content-Type: application/json.")
        try:
            content: object = json.loads(text)
        except (ValueError, RecursionError):
            raise BadRequest("The body is not valid JSON.") from None
        if not isinstance(content, dict):
            return content
        return with_known_names(content, _instance(schema))


def _pieces(text: str) -> list[str]:
    """The parts between commas, ignoring commas in double quotes."""
    found = _PIECE.findall(f"{text},")
    return [quoted.replace('""', '"') or plain.strip() for quoted, plain in found]


def _instance(schema: ma.Schema | type[ma.Schema]) -> ma.Schema:
    return schema if isinstance(schema, ma.Schema) else schema()


def _is_untyped(req: Request) -> bool:
    """Whether the Content-Type is missing, or a default of programs such as curl.

    Never from a browser, which sends an Origin: any web page can send these types, but JSON only
    where CORS allows it.
    """
    return req.mimetype in _UNTYPED and "Origin" not in req.headers


def _as_text(value: object) -> object:
    return json.dumps(value) if isinstance(value, bool | int | float) else value


NAME = ma.validate.Length(1, 1024)
"""Length of a name."""

KEY = ma.validate.Length(0, 1024)
"""Length of an attribute's key; OpenTelemetry allows an empty one."""


def described(text: str) -> dict[str, str]:
    """A field's `metadata` with its description."""
    return {"description": text}


def described_like(text: str, example: object) -> dict[str, object]:
    """As :func:`described`, with an example."""
    return {**described(text), "example": example}
