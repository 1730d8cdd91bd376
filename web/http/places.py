"""Errors that point to a part of a parameter's text, so that a page can underline it."""

from collections.abc import Mapping
from typing import Any, Self

import marshmallow as ma

Reasons = Mapping[str, list[str]]
"""Reasons by parameter."""


class PlacedReason(str):  # noqa: SLOT000 - it has attributes
    """A reason that points to a part of a parameter's text."""

    position: int
    length: int
    hint: str

    def __new__(cls, text: str, position: int, length: int, hint: str) -> Self:
        """Create one.

        Args:
            text: the whole reason, which names the place.
            position: offset of the wrong part, in characters from 0.
            length: its characters; 0 if something is missing there.
            hint: the reason without the place.
        """
        made = super().__new__(cls, text)
        made.position, made.length, made.hint = position, length, hint
        return made


class PlaceSchema(ma.Schema):
    """A wrong part of a parameter's text."""

    field = ma.fields.String(required=True, metadata={"description": "The parameter"})
    position = ma.fields.Integer(
        required=True, metadata={"description": "Where it begins, in characters from 0"}
    )
    length = ma.fields.Integer(
        required=True,
        metadata={"description": "Its characters; 0 if something is missing at `position`"},
    )
    text = ma.fields.String(
        required=True, metadata={"description": "What is wrong, and what to write instead"}
    )


def plain(fields: Reasons) -> dict[str, list[str]]:
    """The reasons as plain texts."""
    # msgspec takes no subclasses of str.
    return {name: [str(text) for text in texts] for name, texts in fields.items()}


def places_in(fields: Reasons) -> list[dict[str, Any]]:
    """The places of those reasons that have one, as in `PlaceSchema`."""
    return [
        {"field": name, "position": text.position, "length": text.length, "text": text.hint}
        for name, texts in fields.items()
        for text in texts
        if isinstance(text, PlacedReason)
    ]
