"""What the endpoints that explore log records take and give."""

import marshmallow as ma
from marshmallow import fields, validate

from storage.logs.facets import (
    COLUMNS,
    FEW_VALUES,
    MANY_RECORDS,
    MOST_FIELDS,
    NAMED,
    SAMPLE_RECORDS,
    VALUE_CHARACTERS,
    is_field,
)
from storage.logs.stats import INTERVALS_MS
from storage.vocabulary import did_you_mean
from web.arguments import Text, Texts, Whole, described, described_like
from web.log_arguments import MAX_BUCKETS, FilterArguments
from web.schemas import Answer, Bucket
from web.time_arguments import interval_parameter

MAX_NAMED_FIELDS = 20
MAX_VALUES = 100
MAX_PATTERNS = 1000

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
        "Length of a bucket. Default: follows from `buckets`.", 1, INTERVALS_MS[-1]
    )
    buckets = Whole(
        1,
        MAX_BUCKETS,
        load_default=60,
        metadata=described_like("Most buckets, of a length that people can read.", 60),
    )


class HistogramAnswer(Answer):
    """Exact counts by level over time."""

    total = fields.Integer(required=True, metadata=described_like("All records.", 123))
    start_time_ms = fields.Integer(required=True, metadata=described_like("Begin.", 1784000000000))
    end_time_ms = fields.Integer(required=True, metadata=described_like("End.", 1784003599999))
    interval_ms = fields.Integer(
        required=True,
        metadata=described_like("Length of a bucket; they are aligned to the epoch.", 60_000),
    )
    buckets = fields.List(
        fields.Nested(Bucket), required=True, metadata=described("In order, empty ones too.")
    )


class FacetsArguments(FilterArguments):
    """Which log records, and what to know of them."""

    fields_ = Texts(
        Text(validate=[_FIELD_NAME, _known]),
        data_key="fields",
        load_default=[],
        validate=validate.Length(1, MAX_NAMED_FIELDS),
        metadata=described_like(
            f"Fields: {_FIELDS}. Without it: the columns and the {MOST_FIELDS} attributes that "
            "the most records have.",
            ["severity", "attributes[http.status_code]"],
        ),
    )
    values = Whole(
        1, MAX_VALUES, load_default=10, metadata=described_like("Most values of each field.", 10)
    )


class FacetValue(ma.Schema):
    """A value and how many records have it."""

    value = fields.String(required=True, metadata=described_like("Cut off if very long.", "eu"))
    count = fields.Integer(required=True, metadata=described_like("Records.", 80))
    truncated = fields.Boolean(
        required=True,
        metadata=described_like(
            f"The value is cut off: longer ones are counted together by their first "
            f"{VALUE_CHARACTERS} characters, and cannot be used as a filter.",
            False,
        ),
    )


class Facet(ma.Schema):
    """A field and its most frequent values."""

    field = fields.String(
        required=True,
        metadata=described_like(
            "Named as the filter that a value fits into.", "attributes[region]"
        ),
    )
    exact = fields.Boolean(
        required=True,
        metadata=described_like(
            "`false`: its numbers are of the sample alone, because it has more than "
            f"{FEW_VALUES} values there, or because more than {MANY_RECORDS} records match and it "
            "was not named.",
            True,
        ),
    )
    records = fields.Integer(
        required=True, metadata=described_like("Records that have the field.", 123)
    )
    distinct_values = fields.Integer(required=True, metadata=described_like("Different values.", 4))
    values = fields.List(
        fields.Nested(FacetValue), required=True, metadata=described("Most frequent first.")
    )
    other = fields.Integer(
        required=True, metadata=described_like("Records with values that are not listed.", 5)
    )


class FacetsAnswer(Answer):
    """The fields of a search and their values.

    Attributes are found in a sample of a large search. The columns, the attributes that were
    named, and the others if not very many records match are then counted exactly, but for those
    with a great many different values.
    """

    total = fields.Integer(
        required=True, metadata=described_like("All records of the search.", 123)
    )
    sampled_records = fields.Integer(
        required=True,
        metadata=described_like(f"Records of the sample, about {SAMPLE_RECORDS}; else all.", 123),
    )
    facets = fields.List(fields.Nested(Facet), required=True)


class PatternsArguments(FilterArguments):
    """Which log records to cluster."""

    limit = Whole(1, MAX_PATTERNS, load_default=50, metadata=described_like("Most patterns.", 50))


class Pattern(ma.Schema):
    """Records whose bodies are the same but for numbers, ids, addresses and the like."""

    template = fields.String(
        required=True,
        metadata=described_like(
            "The body with `<num>`, `<hex>`, `<uuid>`, `<ip>`, `<time>`, `<url>`, `<path>` and "
            "`<str>` for what varies; of its first 500 characters.",
            "GET <path> took <num> ms",
        ),
    )
    count = fields.Integer(required=True, metadata=described_like("Records.", 123))
    share = fields.Float(
        required=True, metadata=described_like("Of `sampled_records`, 0 to 1.", 0.25)
    )
    example = fields.String(
        required=True, metadata=described_like("One of the bodies.", "GET /api/items took 12 ms")
    )
    example_id = fields.String(
        required=True, metadata=described_like("Id of that record.", "ARjCCp8jietVAAAAAAAAAAEAAACa")
    )
    first_timestamp = fields.String(
        required=True,
        metadata=described_like("Of the oldest record.", "2026-07-14T03:33:20.123456789Z"),
    )
    last_timestamp = fields.String(
        required=True,
        metadata=described_like("Of the newest record.", "2026-07-14T04:00:00.000000000Z"),
    )
    by_severity = fields.Dict(
        fields.String(),
        fields.Integer(),
        required=True,
        metadata=described_like("Counts.", _BY_SEVERITY),
    )


class PatternsAnswer(Answer):
    """The most frequent patterns; their counts and `other` sum up to `sampled_records`.

    That is `total`, unless too many records match to cluster all of them.
    """

    total = fields.Integer(
        required=True, metadata=described_like("All records of the search.", 492)
    )
    exact = fields.Boolean(
        required=True,
        metadata=described_like("`false`: everything but `total` is of a sample alone.", True),
    )
    sampled_records = fields.Integer(
        required=True, metadata=described_like("Records that were clustered.", 492)
    )
    templates = fields.Integer(required=True, metadata=described_like("Different templates.", 17))
    patterns = fields.List(
        fields.Nested(Pattern), required=True, metadata=described("Most frequent first.")
    )
    other = fields.Integer(
        required=True, metadata=described_like("Records of templates that are not listed.", 4)
    )


class ExportArguments(FilterArguments):
    """Which log records, and what the file is like."""

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
            "CSV: cells that begin with `=`, `+`, `-`, `@`, a tab or a carriage return, which a "
            "spreadsheet may run as a formula, get an apostrophe in front.",
            True,
        ),
    )
