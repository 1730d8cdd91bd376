"""What the resources of the API work with, kept in the Flask app."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask, current_app

from config.settings import Settings
from storage.client import Clickhouse
from storage.logs.read import LogReader
from tasks.jobs.book import JobBook
from tasks.ledger import Ledger

_KEY = "sheaf"


@dataclass(frozen=True, slots=True)
class Services:
    """The settings and the connections of one app."""

    settings: Settings
    clickhouse: Clickhouse
    ledger: Ledger
    reader: LogReader
    jobs: JobBook
    wake: Callable[[], None]
    """Wakes a worker for a job that was just asked for."""


def provide(app: Flask, services: Services) -> None:
    """Keep `services` in `app`."""
    app.extensions[_KEY] = services


def services() -> Services:
    """The services of the app that answers the current request."""
    found = current_app.extensions[_KEY]
    if not isinstance(found, Services):
        raise TypeError("the app was not made by web.app.create_app")
    return found
