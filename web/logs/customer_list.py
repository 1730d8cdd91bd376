"""Which customers made requests."""

from typing import Any

import marshmallow as ma
from flask import Response, url_for
from marshmallow import fields

from config.units import NS_PER_DAY
from storage.query.logs.customer_list import Customer, customers
from storage.time_range import TimeRange
from web.common.days import FIRST_DAY, Day
from web.common.formats import rfc3339, text_of
from web.common.tenancy import workspace_of
from web.http.answers import about_request, answer
from web.http.arguments import Whole, described, described_like
from web.http.blueprint import ApiBlueprint
from web.http.resources import current_resources
from web.http.schemas import Answer
from web.logs.customers import CustomerArguments, days_of

_MOST_CUSTOMERS = 1000
DEFAULT_DAYS = 7


class CustomersArguments(CustomerArguments):
    """Which customers, and which days."""

    from_date = Day(
        metadata={
            "description": f"First day, in UTC: `YYYY-MM-DD`. Default: {DEFAULT_DAYS - 1} days "
            "before `to_date`.",
            "format": "date",
            "example": "2024-09-14",
        },
    )
    limit = Whole(
        1,
        _MOST_CUSTOMERS,
        load_default=100,
        metadata=described("Maximum number of customers, those with the most requests first."),
    )


class CustomerView(ma.Schema):
    """A customer and the requests in the range."""

    customer_id = fields.String(required=True, metadata={"example": "cust_5"})
    total_requests = fields.Integer(required=True, metadata={"example": 3})
    failed_requests = fields.Integer(
        required=True, metadata=described_like("Status 400 or more.", 1)
    )
    last_seen = fields.String(
        required=True,
        metadata=described("Time of the newest request, RFC 3339 with nanoseconds."),
    )
    stats = fields.String(
        required=True,
        metadata=described_like(
            "Path of the customer's statistics.",
            "/api/v1/customers/cust_5/stats?from_date=2024-09-14&to_date=2024-09-15",
        ),
    )


class CustomersAnswer(Answer):
    """Customers, those with the most requests first."""

    customers = fields.List(fields.Nested(CustomerView), required=True)
    total_count = fields.Integer(
        required=True, metadata=described("Including those beyond `limit`.")
    )
    workspace_id = fields.String(required=True)
    from_date = fields.String(required=True, metadata={"example": "2024-09-14"})
    to_date = fields.String(required=True, metadata={"example": "2024-09-15"})


def customer_list_blueprint() -> ApiBlueprint:
    """The route `/customers`."""
    blueprint = ApiBlueprint("customer-list", __name__, description="Customers")

    @blueprint.endpoint("/customers", CustomersAnswer, takes=CustomersArguments)
    def all_customers(arguments: dict[str, Any]) -> Response:
        """List customers, from log records with the attribute `customer.id`."""
        return _customers(arguments)

    return blueprint


def _customers(arguments: dict[str, Any]) -> Response:
    resources, workspace_id = current_resources(), workspace_of(arguments)
    first, last = days_of(arguments, DEFAULT_DAYS)
    time_range = TimeRange(
        (first - FIRST_DAY).days * NS_PER_DAY, ((last - FIRST_DAY).days + 1) * NS_PER_DAY - 1
    )
    found, total = customers(
        resources.clickhouse, resources.settings, workspace_id, time_range, arguments["limit"]
    )
    days = {"from_date": first.isoformat(), "to_date": last.isoformat()}
    return answer(
        {
            "customers": [_view(each, workspace_id, days) for each in found],
            "total_count": total,
            "workspace_id": workspace_id,
            **days,
            **about_request(),
        }
    )


def _view(found: Customer, workspace_id: str, days: dict[str, str]) -> dict[str, Any]:
    customer_id = text_of(found.id)
    given: dict[str, Any] = {"customer_id": customer_id, "workspace_id": workspace_id, **days}
    return {
        "customer_id": customer_id,
        "total_requests": found.requests,
        "failed_requests": found.failed,
        "last_seen": rfc3339(found.last_seen_ns),
        "stats": url_for("customers.stats", **given),
    }
