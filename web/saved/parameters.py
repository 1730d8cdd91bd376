"""Checks that what is saved can be asked for: with the schemas of the endpoints that answer it."""

from collections.abc import Mapping
from typing import Any, Literal

import marshmallow as ma

from web.common import times
from web.http.arguments import Text
from web.http.errors import WrongParameterError
from web.http.names import with_known_names

PanelKind = Literal["histogram", "metric", "metric_number", "top_values", "number", "logs"]

Schemas = Mapping[tuple[str, str], type[ma.Schema]]
"""The arguments of the endpoint that answers, by use and signal.

The use is `search`, or the kind of a panel.
"""

_OF_THE_MOMENT = {
    "workspace_id": "It is that of the workspace.",
    "start_time_ms": "Save the range as start and end.",
    "end_time_ms": "Save the range as start and end.",
    "cursor": "It is one reader's place.",
    "offset": "It is one reader's place.",
}
"""Parameters that are not saved, and why."""


class TimeText(Text):
    """A time as it is written, such as `now-15m`; it is read when it is used."""

    def _deserialize(
        self,
        value: object,
        attr: str | None,
        data: Mapping[str, Any] | None,
        **kwargs: Any,  # noqa: ANN401 - marshmallow's
    ) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            times.read_time(text)
        except ValueError as error:
            raise ma.ValidationError(str(error)) from None
        return text


def mistakes(given: Mapping[str, Any], schema: type[ma.Schema]) -> dict[str, Any]:
    """What an endpoint with this schema would refuse, by parameter; empty: nothing."""
    made = schema()
    try:
        known = with_known_names(given, made)
    except WrongParameterError as error:
        return dict(error.fields)
    for name, reason in _OF_THE_MOMENT.items():
        if name in known:
            return {name: [f"This is not saved. {reason}"]}
    try:
        made.load(known)
    except ma.ValidationError as error:
        messages = error.messages
        return messages if isinstance(messages, dict) else {"_schema": messages}
    return {}
