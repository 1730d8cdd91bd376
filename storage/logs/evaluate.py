"""Filters evaluated on rows in Python: they find what the condition of `search.where` finds."""

from collections.abc import Sequence

from storage.language import evaluate
from storage.language.letters import folded
from storage.language.parse import parse
from storage.language.tree import And, Query
from storage.logs.read import LogRow
from storage.logs.search import LogFilters, equalities
from storage.severity import is_of, number_of
from storage.sql import ascii_lower


def select(filters: LogFilters, rows: Sequence[LogRow]) -> list[LogRow]:
    """The rows that the filters find, in their order.

    Raises:
        QuerySyntaxError: `filters.q` is no query.
    """
    found = [row for row in rows if _passes(filters, row)]
    query: Query = And(tuple(equalities(filters)))
    if filters.q and found:
        query = And((query, parse(filters.q)))
    answers = evaluate.select(query, found)
    return [row for row, answer in zip(found, answers, strict=True) if answer]


def _passes(filters: LogFilters, row: LogRow) -> bool:
    equal = {
        "client_id": filters.client_id,
        "service_name": filters.service_name,
        "endpoint": filters.endpoint,
        "trace_id": filters.trace_id,
    }
    return (
        row["workspace_id"] == filters.workspace_id
        and all(not wanted or row[key] == wanted for key, wanted in equal.items())
        and number_of(row["severity_text"], row["severity_number"]) >= filters.min_severity
        and _has_severity(filters.severities, row)
        and _contains(row["body"], filters.search)
        and _is_of_resource(filters.resource_attributes, row)
    )


def _has_severity(texts: Sequence[str], row: LogRow) -> bool:
    return not texts or is_of(texts, row["severity_text"], row["severity_number"])


def _contains(body: str, text: str) -> bool:
    if text.isascii():
        return text.lower() in ascii_lower(body)
    return folded(text) in folded(body)


def _is_of_resource(wanted: Sequence[tuple[str, str]] | None, row: LogRow) -> bool:
    return wanted is None or dict(wanted) == row["resource_attributes"]
