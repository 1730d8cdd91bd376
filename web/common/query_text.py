"""The parameter `q`: a query of the search language."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma

from storage.query.language.errors import QuerySyntaxError
from storage.query.language.fields import LOGS, Fields
from storage.query.language.parse import MAX_LENGTH, parse
from web.http.arguments import Text, described_like
from web.http.places import PlacedReason

_LOGS = described_like(
    'A query in the search language: words, "phrases", `field:value`, AND, OR, '
    "-not, parentheses, wildcards, /regular expressions/, ranges. See docs/search.md.",
    'timeout -level:debug http.status_code:[500 TO 599] service:(cart OR "mail in")',
)


class QueryText(Text):
    """A query over the fields `names`, checked and kept as text. Errors say where.

    With `begun`, the query is still being written: it may be empty and is not checked.
    """

    def __init__(self, names: Fields = LOGS, *, begun: bool = False, **kwargs: Any) -> None:  # noqa: ANN401 - marshmallow's
        kwargs = {"validate": ma.validate.Length(1, MAX_LENGTH), "metadata": _LOGS, **kwargs}
        super().__init__(**kwargs)
        self._names = names
        self._begun = begun

    def _deserialize(
        self,
        value: object,
        attr: str | None,
        data: Mapping[str, Any] | None,
        **kwargs: Any,  # noqa: ANN401 - marshmallow's
    ) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if self._begun:
            return text
        try:
            parse(text, self._names)
        except QuerySyntaxError as error:
            reason = PlacedReason(str(error), error.position, error.length, error.hint)
            raise ma.ValidationError(reason) from None
        return text
