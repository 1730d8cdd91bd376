"""Arguments and answers of the endpoints that explore and export log records."""

import marshmallow as ma
from marshmallow import fields, validate

from storage.query.logs.counts import INTERVALS_MS
from storage.query.logs.facet_counts import (
    COLUMNS,
    MOST_VALUES,
    NAMED,
    VALUE_CHARACTERS,
    is_field,
)
from storage.query.logs.facets import FEW_VALUES, MANY_RECORDS, MOST_FIELDS, SAMPLE_RECORDS
from storage.query.logs.over_time import MOST_DEPLOYMENTS
from storage.query.vocabulary import did_you_mean
from web.common.time_arguments import MAX_BUCKETS, interval_parameter
from web.http.arguments import Text, Texts, Whole, described, described_like
from web.http.schemas import Answer
from web.logs.arguments import FilterArguments
from web.logs.schemas import BucketSchema

MAX_NAMED_FIELDS = 20
MAX_VALUES = 100
MAX_PATTERNS = 1000
MAX_GROUPS = 20

FILE_TYPES = {
    "ndjson": "application/x-ndjson",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
}
"""Formats of an export and their media types."""

_FIELDS = f"{', '.join(COLUMNS)}, app, attributes[key], attributes.key or resource.key"
_FIELD_NAME = validate.Length(1, 1100)
_BY_SEVERITY = {"INFO": 120, "ERROR": 3}


def _known(name: str) -> None:
    if not is_field(name):
        hint = did_you_mean(name, NAMED) or f"Fields: {_FIELDS}."
        raise ma.ValidationError(f"Unknown field {name}. {hint}")


class HistogramArguments(FilterArguments):
    """Which log records to count, and how finely over time."""

    interval = interval_parameter(
        "Length of a bucket. Default: derived from `buckets`.", 1, INTERVALS_MS[-1]
    )
    buckets = Whole(
        1,
        MAX_BUCKETS,
        load_default=60,
        metadata=described_like("Maximum number of buckets. Their length is a round number.", 60),
    )
    by = Text(
        validate=[_FIELD_NAME, _known],
        metadata=described_like(
            f"Also count by the values of this field: {_FIELDS}.", "service_version"
        ),
    )
    values = Whole(
        1,
        MAX_GROUPS,
        load_default=6,
        metadata=described_like("With `by`: number of values, the most frequent ones.", 6),
    )


class HistogramBucketSchema(BucketSchema):
    """Counts of the records in `interval_ms`."""

    by_value = fields.Dict(
        fields.String(),
        fields.Integer(),
        metadata=described_like(
            "With `by`: counts of its most frequent values. `count` also has the records with "
            "other values or without the field.",
            {"3.1.0": 80, "3.2.0": 12},
        ),
    )


class HistogramAnswer(Answer):
    """Exact counts by level over time."""

    total = fields.Integer(required=True, metadata=described_like("Matching records.", 123))
    start_time_ms = fields.Integer(
        required=True, metadata=described_like("Start of the range.", 1784000000000)
    )
    end_time_ms = fields.Integer(
        required=True, metadata=described_like("End of the range.", 1784003599999)
    )
    interval_ms = fields.Integer(
        required=True,
        metadata=described_like("Length of a bucket. Buckets are aligned to the epoch.", 60_000),
    )
    buckets = fields.List(
        fields.Nested(HistogramBucketSchema),
        required=True,
        metadata=described("In order, even if empty."),
    )


class DeploymentSchema(ma.Schema):
    """A version of a service that appeared while an earlier one was already there."""

    service_name = fields.String(required=True, metadata={"example": "payment"})
    service_version = fields.String(required=True, metadata={"example": "3.2.0"})
    first_timestamp = fields.String(
        required=True,
        metadata=described("Time of its first record, RFC 3339 with nanoseconds."),
    )
    first_ms = fields.Integer(required=True, metadata=described("The same, Unix milliseconds."))


class DeploymentsAnswer(Answer):
    """The versions of services that appeared within the time range."""

    deployments = fields.List(
        fields.Nested(DeploymentSchema),
        required=True,
        metadata=described(f"The latest first, at most {MOST_DEPLOYMENTS}."),
    )


class FacetsArguments(FilterArguments):
    """Which log records, and which of their fields."""

    fields_ = Texts(
        Text(validate=[_FIELD_NAME, _known]),
        data_key="fields",
        load_default=[],
        validate=validate.Length(1, MAX_NAMED_FIELDS),
        metadata=described_like(
            f"Fields: {_FIELDS}. Default: the columns and the {MOST_FIELDS} most frequent "
            "attributes, without `service.name` and `service.version`, which are columns.",
            ["severity", "attributes[http.status_code]"],
        ),
    )
    values = Whole(
        1,
        MAX_VALUES,
        load_default=10,
        metadata=described_like("Maximum number of values per field.", 10),
    )


class FacetValueSchema(ma.Schema):
    """A value and how many records have it."""

    value = fields.String(required=True, metadata=described_like("Truncated if very long.", "eu"))
    count = fields.Integer(required=True, metadata=described_like("Number of records.", 80))
    truncated = fields.Boolean(
        required=True,
        metadata=described_like(
            f"Whether the value is truncated. Long values with the same first {VALUE_CHARACTERS} "
            "characters are counted together, and cannot be used as a filter.",
            False,
        ),
    )


class FacetSchema(ma.Schema):
    """A field and its most frequent values."""

    field = fields.String(
        required=True,
        metadata=described_like("Name, as it is used in filters.", "attributes[region]"),
    )
    exact = fields.Boolean(
        required=True,
        metadata=described_like(
            "`false`: estimated from the sample, because the fields have more than "
            f"{MOST_VALUES:,} values together and this one more than {FEW_VALUES:,} there, or "
            f"because more than {MANY_RECORDS:,} records match and the field is an attribute that "
            "was not named in `fields`.",
            True,
        ),
    )
    records = fields.Integer(
        required=True, metadata=described_like("Records that have the field.", 123)
    )
    distinct_values = fields.Integer(required=True, metadata=described_like("Distinct values.", 4))
    values = fields.List(
        fields.Nested(FacetValueSchema), required=True, metadata=described("Most frequent first.")
    )
    other = fields.Integer(
        required=True, metadata=described_like("Records with values that are not listed.", 5)
    )


class FacetsAnswer(Answer):
    """The fields of a search and their values.

    Columns and named attributes are counted exactly. Otherwise, in a large search, attributes are
    found in a sample, and counted exactly if not too many records match. Fields with very many
    distinct values are counted in the sample.
    """

    total = fields.Integer(required=True, metadata=described_like("Matching records.", 123))
    sampled_records = fields.Integer(
        required=True,
        metadata=described_like(f"Size of the sample, about {SAMPLE_RECORDS}; else all.", 123),
    )
    facets = fields.List(fields.Nested(FacetSchema), required=True)


class PatternsArguments(FilterArguments):
    """Which log records to cluster."""

    limit = Whole(
        1, MAX_PATTERNS, load_default=50, metadata=described_like("Maximum number of patterns.", 50)
    )


class PatternSchema(ma.Schema):
    """Records whose bodies differ only in numbers, ids, addresses, names and the like."""

    id = fields.String(
        required=True,
        metadata=described_like("The same for this template in every search.", "268ed6751bb44101"),
    )
    template = fields.String(
        required=True,
        metadata=described_like(
            "The first 500 characters of the body, with `<num>`, `<hex>`, `<uuid>`, `<ip>`, "
            "`<time>`, `<url>`, `<path>` and `<str>` in place of what varies, and `<value>` for "
            "any of these, `<*>` for any word and `<...>` for any number of words.",
            "GET <path> by <*> took <num>",
        ),
    )
    q = fields.String(
        required=True,
        metadata=described_like(
            "The query of the search language that finds these records, also later ones.",
            'pattern:"GET <path> by <*> took <num>"',
        ),
    )
    count = fields.Integer(required=True, metadata=described_like("Number of records.", 123))
    share = fields.Float(
        required=True, metadata=described_like("Share of `sampled_records`, 0 to 1.", 0.25)
    )
    example = fields.String(
        required=True,
        metadata=described_like("One of the bodies.", "GET /api/items by anna took 12 ms"),
    )
    example_id = fields.String(
        required=True, metadata=described_like("Id of that record.", "ARjCCp8jietVAAAAAAAAAAEAAACa")
    )
    first_timestamp = fields.String(
        required=True,
        metadata=described_like("Time of the oldest record.", "2026-07-14T03:33:20.123456789Z"),
    )
    last_timestamp = fields.String(
        required=True,
        metadata=described_like("Time of the newest record.", "2026-07-14T04:00:00.000000000Z"),
    )
    by_severity = fields.Dict(
        fields.String(),
        fields.Integer(),
        required=True,
        metadata=described_like("Counts by severity.", _BY_SEVERITY),
    )


class PatternsAnswer(Answer):
    """The most frequent patterns; their counts and `other` add up to `sampled_records`.

    This equals `total`, unless too many records match to cluster all of them.
    """

    total = fields.Integer(required=True, metadata=described_like("Matching records.", 492))
    exact = fields.Boolean(
        required=True,
        metadata=described_like("`false`: all but `total` is estimated from a sample.", True),
    )
    sampled_records = fields.Integer(
        required=True, metadata=described_like("Records that were clustered.", 492)
    )
    templates = fields.Integer(
        required=True, metadata=described_like("Patterns, including those that are not listed.", 17)
    )
    patterns = fields.List(
        fields.Nested(PatternSchema), required=True, metadata=described("Most frequent first.")
    )
    other = fields.Integer(
        required=True, metadata=described_like("Records of patterns that are not listed.", 4)
    )


class ExportArguments(FilterArguments):
    """Which log records, and the format of the file."""

    format = fields.String(
        load_default="ndjson",
        validate=validate.OneOf(list(FILE_TYPES)),
        metadata=described_like("Format of the file.", "csv"),
    )
    order = fields.String(
        load_default="asc",
        validate=validate.OneOf(["asc", "desc"]),
        metadata=described_like("Oldest first (`asc`) or newest first (`desc`).", "asc"),
    )
    spreadsheet_safe = fields.Boolean(
        load_default=False,
        metadata=described_like(
            "CSV only: put an apostrophe before cells that begin with `=`, `+`, `-`, `@`, a tab or "
            "a carriage return, because a spreadsheet may run them as formulas.",
            True,
        ),
    )
