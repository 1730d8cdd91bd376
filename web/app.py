"""The query API as a Flask app."""

from typing import Any

from flask import Flask

from config.settings import Settings
from storage.client import Clickhouse
from storage.logs.read import LogReader
from tasks.ledger import Ledger
from web.arguments import Attributes
from web.dead_letters import dead_letters_blueprint
from web.errors import SheafApi, answer_errors
from web.health import health_blueprint
from web.ingestion import ingestion_blueprint
from web.logs import logs_blueprint
from web.middleware import watch_requests
from web.page import page_blueprint
from web.services import Services, provide

MAX_REQUEST_BYTES = 1024 * 1024
"""A query's body is never near this."""


def create_app(
    settings: Settings, clickhouse: Clickhouse | None = None, ledger: Ledger | None = None
) -> Flask:
    """Make the app; it connects to nothing before the first request.

    Args:
        settings: all settings.
        clickhouse: where to read from; as `settings` say if not given.
        ledger: what waits to be stored; as `settings` say if not given.
    """
    app = Flask(__name__, static_folder=None, template_folder=None)
    app.config.from_mapping(
        API_TITLE="Sheaf",
        API_VERSION="v1",
        OPENAPI_VERSION="3.0.3",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
        MAX_CONTENT_LENGTH=MAX_REQUEST_BYTES,
    )
    database = clickhouse or Clickhouse(settings)
    reader = LogReader(database, settings)
    provide(app, Services(settings, database, ledger or Ledger(settings), reader))
    watch_requests(app, settings.cors_origins)
    answer_errors(app)
    _register(app, settings.api_v1_prefix)
    return app


def _register(app: Flask, prefix: str) -> None:
    api = SheafApi(app)
    converter = api.ma_plugin.converter
    converter.add_parameter_attribute_function(_attributes_as_keys)
    api.register_blueprint(health_blueprint())
    api.register_blueprint(logs_blueprint(), url_prefix=prefix)
    api.register_blueprint(ingestion_blueprint(), url_prefix=f"{prefix}/ingestion")
    api.register_blueprint(dead_letters_blueprint(), url_prefix=f"{prefix}/dead-letters")
    app.register_blueprint(page_blueprint())


def _attributes_as_keys(_converter: object, field: object, **_: Any) -> dict[str, Any]:  # noqa: ANN401 - apispec's
    if isinstance(field, Attributes):
        return {"style": "deepObject", "explode": True}
    return {}
