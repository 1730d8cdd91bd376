"""The query API as a Flask app."""

from collections.abc import Callable
from typing import Any

from flask import Flask

from access.audit import AuditLog
from access.store import KeyStore
from access.view import access_of
from config.settings import Settings
from ledger.ledgers import AnyLedger, open_ledgers
from ledger.limits import LimitView
from serving.paths import ignore_extra_slashes
from storage.clickhouse.client import Clickhouse
from storage.query.logs.read import LogReader
from tasks.jobs.book import JobBook
from web.access.audit import audit_blueprint
from web.access.keys import keys_blueprint
from web.access.limits import limits_blueprint
from web.access.redaction import redaction_blueprint
from web.access.sign_in import sign_in_blueprint
from web.access.single_sign_on import provide_single_sign_on
from web.access.usage import usage_blueprint
from web.admin.dead_letters import dead_letters_blueprint
from web.admin.jobs import jobs_blueprint
from web.admin.receipts import receipts_blueprint
from web.admin.retention import retention_blueprint
from web.admin.sample_data import sample_data_blueprint
from web.admin.status import status_blueprint
from web.http.access import guard_requests, needs
from web.http.admission import admit_requests
from web.http.arguments import Attributes
from web.http.blueprint import ApiBlueprint
from web.http.errors import SheafApi, answer_errors
from web.http.health import health_blueprint, metrics
from web.http.middleware import watch_requests
from web.http.resources import Resources, provide
from web.http.sessions import keep_sessions
from web.http.workspace_limits import follow_limits
from web.logs.arguments import PageArguments, StatsArguments
from web.logs.changes import changes_blueprint
from web.logs.completion import log_completion_blueprint
from web.logs.counts import stats_blueprint
from web.logs.customer_list import customer_list_blueprint
from web.logs.customers import customers_blueprint
from web.logs.deletion import log_deletion_blueprint
from web.logs.exploration import exploration_blueprint
from web.logs.exploration_schemas import FacetsArguments, HistogramArguments
from web.logs.export import export_blueprint
from web.logs.export_jobs import export_jobs_blueprint
from web.logs.ingestion import ingestion_blueprint
from web.logs.live.hub import LiveHub
from web.logs.live.routes import LIVE, live_blueprint, live_socket_blueprint
from web.logs.routes import logs_blueprint
from web.metrics.routes import metrics_blueprint
from web.metrics.schemas import MetricQueryArguments
from web.pages.page import page_blueprint
from web.saved.parameters import Schemas
from web.saved.routes import dashboards_blueprint, saved_searches_blueprint
from web.traces.arguments import TracesArguments
from web.traces.changes import trace_changes_blueprint
from web.traces.completion import span_completion_blueprint
from web.traces.deletion import trace_deletion_blueprint
from web.traces.gantt.routes import gantt_blueprint
from web.traces.routes import traces_blueprint
from web.traces.services import ServiceFiguresArguments, services_blueprint

MAX_REQUEST_BYTES = 1024 * 1024
"""Maximum size of a request's body; queries are far smaller."""


SAVED: Schemas = {
    ("search", "logs"): PageArguments,
    ("search", "traces"): TracesArguments,
    ("histogram", "logs"): HistogramArguments,
    ("histogram", "traces"): ServiceFiguresArguments,
    ("metric", "metrics"): MetricQueryArguments,
    ("metric_number", "metrics"): MetricQueryArguments,
    ("top_values", "logs"): FacetsArguments,
    ("number", "logs"): StatsArguments,
    ("number", "traces"): ServiceFiguresArguments,
    ("logs", "logs"): PageArguments,
    ("logs", "traces"): TracesArguments,
}
"""What saved searches and panels may ask for."""

ENDPOINTS: tuple[tuple[str, Callable[[], ApiBlueprint]], ...] = (
    ("", logs_blueprint),
    ("", exploration_blueprint),
    ("", changes_blueprint),
    ("", log_completion_blueprint),
    ("", export_blueprint),
    ("", stats_blueprint),
    ("", customer_list_blueprint),
    ("", customers_blueprint),
    ("", log_deletion_blueprint),
    ("/ingestion", ingestion_blueprint),
    ("", metrics_blueprint),
    ("/traces", traces_blueprint),
    ("/traces", trace_changes_blueprint),
    ("", services_blueprint),
    ("/traces", span_completion_blueprint),
    ("", trace_deletion_blueprint),
    ("", gantt_blueprint),
    ("/jobs", jobs_blueprint),
    ("/jobs", export_jobs_blueprint),
    ("/dead-letters", dead_letters_blueprint),
    ("", retention_blueprint),
    ("", sample_data_blueprint),
    ("", receipts_blueprint),
    ("", status_blueprint),
    ("/keys", keys_blueprint),
    ("", limits_blueprint),
    ("", usage_blueprint),
    ("", audit_blueprint),
    ("", redaction_blueprint),
    ("/saved-searches", lambda: saved_searches_blueprint(SAVED)),
    ("/dashboards", lambda: dashboards_blueprint(SAVED)),
)
"""The API's blueprints, and their paths below API_V1_PREFIX."""


def create_app(
    settings: Settings,
    clickhouse: Clickhouse | None = None,
    ledger: AnyLedger | None = None,
    wake: Callable[[], None] = lambda: None,
) -> Flask:
    """Create the app. It connects to nothing before the first request.

    Args:
        settings: all settings.
        clickhouse: where to read from; by default from `settings`.
        ledger: what waits to be stored; by default from `settings`.
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
    waiting = ledger or open_ledgers(settings)
    jobs = JobBook(settings, waiting.broker)
    keys = KeyStore(settings, waiting.broker, database)
    audit = AuditLog(waiting.broker, database)
    access = access_of(settings, keys)
    provide(app, Resources(settings, database, waiting, reader, jobs, access, keys, audit, wake))
    watch_requests(app, settings)
    keep_sessions(app, settings)
    provide_single_sign_on(app, settings)
    guard_requests(app, access, settings)
    admit_requests(app, settings)
    follow_limits(app, LimitView(waiting.broker, database))
    answer_errors(app)
    hub = app.extensions[LIVE] = LiveHub(settings)
    _register(app, settings.api_v1_prefix, hub)
    app.register_blueprint(live_socket_blueprint(hub, settings.cors_origins))
    ignore_extra_slashes(app)
    return app


def _register(app: Flask, prefix: str, hub: LiveHub) -> None:
    api = SheafApi(app)
    api.ma_plugin.converter.add_parameter_attribute_function(_attributes_as_keys)
    api.register_blueprint(health_blueprint())
    for below, blueprint in ENDPOINTS:
        api.register_blueprint(blueprint(), url_prefix=prefix + below)
    api.register_blueprint(live_blueprint(hub), url_prefix=prefix)
    needs(metrics, scope="read", everywhere=True, by_client=True)
    app.add_url_rule("/metrics", "metrics", metrics)
    app.register_blueprint(page_blueprint())
    app.register_blueprint(sign_in_blueprint())


def _attributes_as_keys(_converter: object, field: object, **_: Any) -> dict[str, Any]:  # noqa: ANN401 - apispec's
    if isinstance(field, Attributes):
        return {"style": "deepObject", "explode": True}
    return {}
