"""Settings and connections of the endpoints, kept in the Flask app."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask, current_app

from access.audit import AuditLog
from access.store import KeyStore
from access.view import Access
from config.settings import Settings
from ledger.ledgers import AnyLedger
from storage.clickhouse.client import Clickhouse
from storage.query.logs.read import LogReader
from tasks.jobs.book import JobBook

_KEY = "sheaf"


@dataclass(frozen=True, slots=True)
class Resources:
    """The settings and the connections of one app."""

    settings: Settings
    clickhouse: Clickhouse
    ledger: AnyLedger
    reader: LogReader
    jobs: JobBook
    access: Access
    keys: KeyStore
    audit: AuditLog
    wake: Callable[[], None]
    """Wakes a worker for a new job."""


def provide(app: Flask, resources: Resources) -> None:
    """Keep `resources` in `app`."""
    app.extensions[_KEY] = resources


def current_resources() -> Resources:
    """The resources of the app that answers the current request."""
    found = current_app.extensions[_KEY]
    if not isinstance(found, Resources):
        raise TypeError("the app was not made by web.app.create_app")
    return found
