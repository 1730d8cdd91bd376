"""Flower behind Sheaf's keys: `python -m serving.flower`."""

import sys
from collections.abc import Awaitable
from typing import Any

from celery.bin.celery import celery
from flower import command
from flower.app import Flower
from tornado.httputil import HTTPServerRequest
from tornado.web import RequestHandler

from access.credentials import SCHEMES
from access.principal import AccessError, KeysUnavailableError, NotAuthenticatedError
from access.store import KeyStore
from access.view import Access, access_of
from config import logging, settings
from config.settings import Settings
from ledger.broker import Broker
from ledger.usable import check_usable_or_exit
from storage.clickhouse.client import Clickhouse

_OPEN = "/healthcheck"
_READING = frozenset({"GET", "HEAD"})
_SAME_SITE = frozenset({"", "same-origin", "none"})


class GuardedFlower(Flower):
    """Flower for those who have a key with the scope `admin` for all workspaces."""

    access: Access

    def find_handler(self, request: HTTPServerRequest, **options: Any) -> Any:  # noqa: ANN401 - Tornado's
        """The handler of a request, or one that refuses it."""
        if request.path != _OPEN and (refusal := self._refusal(request)):
            return self.get_handler_delegate(request, Refusal, refusal)
        return super().find_handler(request, **options)

    def _refusal(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        try:
            principal = self.access.principal(request.headers.get("Authorization", ""))
            principal.check("admin")
            principal.check_everywhere()
        except NotAuthenticatedError as error:
            return {"status": 401, "text": error.text}
        except KeysUnavailableError as error:
            return {"status": 503, "text": error.text}
        except AccessError as error:
            return {"status": 403, "text": error.text}
        if request.method not in _READING and not _is_own_page(request):
            return {"status": 403, "text": "Changes are only taken from Flower's own page."}
        return None


def _is_own_page(request: HTTPServerRequest) -> bool:
    """Whether a change is asked for by Flower's own page, or by no page at all.

    A browser sends Basic credentials along with requests of any page. Over plain HTTP it says only
    the `Origin`.
    """
    origin = request.headers.get("Origin", "")
    site = request.headers.get("Sec-Fetch-Site", "")
    is_own = not origin or origin.partition("://")[2] == request.host
    return is_own and site in _SAME_SITE


class Refusal(RequestHandler):
    """The answer to a request without a fitting key."""

    def initialize(self, status: int, text: str) -> None:
        """Take what to answer."""
        self._refused = (status, text)

    def check_xsrf_cookie(self) -> None:
        """Nothing is done for the request, whoever made it."""

    def prepare(self) -> Awaitable[None] | None:
        """Answer."""
        status, text = self._refused
        self.set_status(status)
        if status == 401:  # noqa: PLR2004 - HTTP
            self.set_header("WWW-Authenticate", SCHEMES)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{text}\n")
        return None


def main() -> None:
    """Serve on LISTEN_HOST and FLOWER_PORT until SIGTERM or SIGINT."""
    loaded = settings.load_or_exit()
    logging.configure(loaded)
    check_usable_or_exit(loaded)
    store = KeyStore(loaded, Broker(loaded), Clickhouse(loaded))
    GuardedFlower.access = access_of(loaded, store)
    GuardedFlower.access.start()
    # The one place where Flower's command takes its application from.
    command.Flower = GuardedFlower
    sys.exit(celery.main(_arguments(loaded), auto_envvar_prefix="CELERY"))


def _arguments(loaded: Settings) -> list[str]:
    where = [f"--address={loaded.listen_host}", f"--port={loaded.flower_port}"]
    if loaded.tls_cert:
        where += [f"--certfile={loaded.tls_cert}", f"--keyfile={loaded.tls_key}"]
    return ["--quiet", "-A", "tasks.app", "flower", *where, "--logging=warning"]


if __name__ == "__main__":
    main()
