"""The query API as a Flask app."""

from collections.abc import Callable
from typing import Any

from flask import Flask

from config.paths import forgive_slashes
from config.settings import Settings
from storage.client import Clickhouse
from storage.logs.read import LogReader
from tasks.jobs.book import JobBook
from tasks.ledger import Ledger
from web.admission import admit_requests
from web.arguments import Attributes
from web.customer_list import add_customers
from web.customers import customers_blueprint
from web.dead_letters import dead_letters_blueprint
from web.errors import SheafApi, answer_errors
from web.exploration import exploration_blueprint
from web.export import export_blueprint
from web.gantt.routes import gantt_blueprint
from web.health import health_blueprint, metrics
from web.ingestion import ingestion_blueprint
from web.jobs import jobs_blueprint
from web.live import LIVE, live_blueprint, live_socket_blueprint
from web.live_hub import LiveHub
from web.log_deletion import log_deletion_blueprint
from web.logs import logs_blueprint
from web.metrics import metrics_blueprint
from web.middleware import watch_requests
from web.page import page_blueprint
from web.retention import retention_blueprint
from web.services import Services, provide
from web.stats import stats_blueprint
from web.trace_deletion import trace_deletion_blueprint
from web.traces import traces_blueprint

MAX_REQUEST_BYTES = 1024 * 1024
"""A query's body is never near this."""


def create_app(
    settings: Settings,
    clickhouse: Clickhouse | None = None,
    ledger: Ledger | None = None,
    wake: Callable[[], None] = lambda: None,
) -> Flask:
    """Make the app; it connects to nothing before the first request.

    Args:
        settings: all settings.
        clickhouse: where to read from; as `settings` say if not given.
        ledger: what waits to be stored; as `settings` say if not given.
        wake: wakes a worker for a job; without it, beat does after some seconds.
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
    waiting = ledger or Ledger(settings)
    jobs = JobBook(settings, waiting.broker)
    provide(app, Services(settings, database, waiting, reader, jobs, wake))
    admit_requests(app, settings)
    watch_requests(app, settings.cors_origins)
    answer_errors(app)
    hub = app.extensions[LIVE] = LiveHub(settings)
    _register(app, settings.api_v1_prefix, hub)
    app.register_blueprint(live_socket_blueprint(hub, settings.cors_origins))
    forgive_slashes(app)
    return app


def _register(app: Flask, prefix: str, hub: LiveHub) -> None:
    api = SheafApi(app)
    converter = api.ma_plugin.converter
    converter.add_parameter_attribute_function(_attributes_as_keys)
    api.register_blueprint(health_blueprint())
    api.register_blueprint(logs_blueprint(), url_prefix=prefix)
    api.register_blueprint(live_blueprint(hub), url_prefix=prefix)
    api.register_blueprint(exploration_blueprint(), url_prefix=prefix)
    api.register_blueprint(export_blueprint(), url_prefix=prefix)
    api.register_blueprint(ingestion_blueprint(), url_prefix=f"{prefix}/ingestion")
    api.register_blueprint(dead_letters_blueprint(), url_prefix=f"{prefix}/dead-letters")
    api.register_blueprint(metrics_blueprint(), url_prefix=prefix)
    api.register_blueprint(traces_blueprint(), url_prefix=f"{prefix}/traces")
    api.register_blueprint(gantt_blueprint(), url_prefix=prefix)
    api.register_blueprint(jobs_blueprint(), url_prefix=f"{prefix}/jobs")
    api.register_blueprint(log_deletion_blueprint(), url_prefix=prefix)
    api.register_blueprint(trace_deletion_blueprint(), url_prefix=prefix)
    api.register_blueprint(retention_blueprint(), url_prefix=prefix)
    api.register_blueprint(stats_blueprint(), url_prefix=prefix)
    customers = customers_blueprint()
    add_customers(customers)
    api.register_blueprint(customers, url_prefix=prefix)
    app.add_url_rule("/metrics", "metrics", metrics)
    app.register_blueprint(page_blueprint())


def _attributes_as_keys(_converter: object, field: object, **_: Any) -> dict[str, Any]:  # noqa: ANN401 - apispec's
    if isinstance(field, Attributes):
        return {"style": "deepObject", "explode": True}
    return {}
