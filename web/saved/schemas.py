"""Arguments and answers of saved searches and dashboards."""

import json
from typing import Any, get_args

import marshmallow as ma
from marshmallow import fields, validate

from web.common.tenancy import WorkspaceArguments
from web.http.arguments import Text, Whole, described, described_like
from web.http.schemas import Answer
from web.saved.parameters import PanelKind, TimeText

MOST_PANELS = 50
MOST_COLUMNS = 50
COLUMNS_OF_PAGE = 12
_MOST_PARAMETERS = 50

_READ_ONLY = (
    *("id", "created_ms", "created_by", "changed_ms", "changed_by"),
    *("request_id", "execution_time_ms"),
)
_PARAMETERS = validate.Length(0, _MOST_PARAMETERS)


class VersionArguments(WorkspaceArguments):
    """Which version is meant."""

    version = Text(
        validate=validate.Length(1, 20),
        metadata=described_like(
            "The version that was read; also as `If-Match`. If it has been changed meanwhile, the "
            "answer is 409.",
            "1784000000123456789",
        ),
    )


class SavedArguments(VersionArguments):
    """What all that is saved has; an answer of GET is taken as it is."""

    name = Text(
        required=True,
        validate=validate.Length(1, 200),
        metadata=described_like("What people call it.", "Errors in checkout"),
    )
    description = Text(
        load_default="", validate=validate.Length(0, 2000), metadata=described("What it is for.")
    )
    start = TimeText(
        load_default="now-1h",
        metadata=described_like("Start of the time range, as it is written.", "now-15m"),
    )
    end = TimeText(
        load_default="now", metadata=described_like("End of the time range, inclusive.", "now")
    )

    @ma.pre_load
    def _without_what_is_only_read(self, data: Any, **_: object) -> Any:  # noqa: ANN401 - any JSON
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if name not in _READ_ONLY}


class _Parameter(fields.Raw):
    """Any JSON that can be encoded in UTF-8: the endpoint that takes it says what else is wrong."""

    default_error_messages = Text.default_error_messages

    def _deserialize(self, value: object, *_: object, **__: object) -> object:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise self.make_error("unicode") from None
        return value


def _parameters(text: str, example: object, **more: Any) -> ma.fields.Field[Any]:  # noqa: ANN401
    return fields.Dict(
        Text(), _Parameter(), validate=_PARAMETERS, metadata=described_like(text, example), **more
    )


class SearchBody(SavedArguments):
    """A search."""

    signal = fields.String(
        load_default="logs",
        validate=validate.OneOf(["logs", "traces"]),
        metadata=described("What is searched: `/logs` or `/traces`."),
    )
    q = Text(
        load_default="",
        validate=validate.Length(0, 4096),
        metadata=described_like("A query in the search language.", "level:error"),
    )
    filters = _parameters(
        "Other parameters of `GET /logs` or `GET /traces`, by name.",
        {"service_name": "checkout"},
        load_default=dict,
    )
    columns = fields.List(
        Text(validate=validate.Length(1, 1024)),
        load_default=list,
        validate=validate.Length(0, MOST_COLUMNS),
        metadata=described_like("Fields that the page shows as columns.", ["user.id"]),
    )


class PanelSchema(ma.Schema):
    """A panel of a dashboard."""

    class Meta:
        """Refuse unknown fields, so that a misspelt one is noticed."""

        unknown = ma.RAISE

    title = Text(
        load_default="", validate=validate.Length(0, 200), metadata=described("Above the panel.")
    )
    kind = fields.String(
        required=True,
        validate=validate.OneOf(get_args(PanelKind)),
        metadata=described(
            "What it shows, and the endpoint whose parameters `query` has: `histogram`: "
            "`/logs/histogram`; `metric` and `metric_number`: `/metrics/query`; `top_values`: "
            "`/logs/facets`, with one field; `number`: `/stats`; `logs`: `/logs`. With the signal "
            "`traces`, `histogram` and `number` are of `/services`, and `logs` lists `/traces`."
        ),
    )
    signal = fields.String(
        validate=validate.OneOf(["logs", "traces", "metrics"]),
        metadata=described("Default: `metrics` for a metric, else `logs`."),
    )
    query = _parameters(
        "Parameters of the endpoint, without workspace and time range.",
        {"q": "level:error", "service_name": "checkout"},
        load_default=dict,
    )
    width = Whole(
        1,
        COLUMNS_OF_PAGE,
        load_default=6,
        metadata=described(f"Of the {COLUMNS_OF_PAGE} columns of the page."),
    )
    height = Whole(1, 20, load_default=4, metadata=described("Rows of the page."))


class DashboardBody(SavedArguments):
    """A dashboard."""

    panels = fields.List(
        fields.Nested(PanelSchema),
        load_default=list,
        validate=validate.Length(0, MOST_PANELS, error=f"At most {MOST_PANELS} panels."),
        metadata=described("In the order in which the page shows them, row by row."),
    )


class _About(ma.Schema):
    id = fields.String(required=True, metadata={"example": "4f2f0c7c7e1d4b0f"})
    version = fields.String(required=True, metadata={"example": "1784000000123456789"})
    name = fields.String(required=True)
    description = fields.String(required=True)
    start = fields.String(required=True, metadata={"example": "now-15m"})
    end = fields.String(required=True, metadata={"example": "now"})
    created_ms = fields.Integer(required=True)
    created_by = fields.String(required=True, metadata=described("Name of the key or user."))
    changed_ms = fields.Integer(required=True)
    changed_by = fields.String(required=True)


class SavedSearchSchema(_About):
    """A saved search."""

    signal = fields.String(required=True, metadata={"enum": ["logs", "traces"]})
    q = fields.String(required=True)
    filters = fields.Dict(required=True)
    columns = fields.List(fields.String(), required=True)


class SavedSearchAnswer(SavedSearchSchema, Answer):
    """A saved search; it can be sent again as it is."""


class SavedSearchesAnswer(Answer):
    """The saved searches of a workspace, by name."""

    saved_searches = fields.List(fields.Nested(SavedSearchSchema), required=True)


class DashboardSummarySchema(_About):
    """A dashboard, without its panels."""

    panel_count = fields.Integer(required=True)


class DashboardAnswer(_About, Answer):
    """A dashboard; it can be sent again as it is."""

    panels = fields.List(fields.Nested(PanelSchema), required=True)


class DashboardsAnswer(Answer):
    """The dashboards of a workspace, by name."""

    dashboards = fields.List(fields.Nested(DashboardSummarySchema), required=True)


class DeletedAnswer(Answer):
    """What was deleted."""

    deleted = fields.Integer(required=True, metadata=described("1."))
