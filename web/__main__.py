"""Entry point of the query API: `python -m web`."""

import gc

from flask import Flask

from config import logging, settings
from ledger.usable import check_usable_or_exit
from serving.wsgi import Server
from storage.schema.state import check_schema_or_exit
from tasks.app import app as celery_app
from tasks.hints import wake_for_jobs
from web.app import MAX_REQUEST_BYTES, create_app
from web.http.admission import close_lanes, held_threads
from web.http.workspace_limits import KEY as LIMITS
from web.logs.live.routes import end_streams


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    loaded = settings.load_or_exit()
    logging.configure(loaded)
    check_usable_or_exit(loaded)
    check_schema_or_exit(loaded)

    def build() -> Flask:
        app = create_app(loaded, wake=lambda: wake_for_jobs(celery_app))
        app.extensions["sheaf.access"].start()
        app.extensions[LIMITS].start()
        # Exempts permanent objects from garbage collection: a trace of 5,000 spans, which makes
        # many objects at once, takes 110 ms of CPU instead of 190.
        gc.collect()
        gc.freeze()
        return app

    Server(
        loaded,
        loaded.api_port,
        build,
        most_body=MAX_REQUEST_BYTES,
        more_threads=loaded.live_readers + held_threads(loaded),
        stopping=_stopping,
    ).run()


def _stopping(app: Flask) -> None:
    close_lanes(app)
    end_streams(app)


if __name__ == "__main__":
    main()
