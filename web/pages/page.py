"""The web pages. Everything they need ships with the project."""

import functools
from pathlib import Path
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, render_template, request, send_from_directory

from serving.doors import GRPC_SERVICES
from web.http.answers import answer
from web.http.doors import addresses, description
from web.http.resources import current_resources
from web.pages.files import FOLDER, serve_files

SECTIONS = (
    ("Logs", "/"),
    ("Traces", "/traces"),
    ("Services", "/services"),
    ("Metrics", "/metric-explorer"),
    ("Dashboards", "/dashboards"),
    ("Status", "/status"),
)
"""The links of the header; `static/views.js` has the views."""

_ADDRESSES = (
    *(address for _, address in SECTIONS[1:]),
    "/traces/<path:name>",
    "/dashboards/<path:name>",
)

_PRELOADED = ("vendor", "core", "components", "logs")
"""Folders of the modules that the first view needs: the browser loads them at once."""

_FOLDERS = (Path(__file__).resolve().parents[2] / "docs", Path.cwd() / "docs")


def page_blueprint() -> Blueprint:
    """The addresses of the page's views, `/docs`, and the files below `/static` and `/docs`."""
    blueprint = Blueprint(
        "page",
        __name__,
        template_folder="templates",
    )

    serve_files(blueprint)

    @blueprint.context_processor
    def sections() -> dict[str, object]:
        return {"sections": SECTIONS}

    @blueprint.get("/")
    def app() -> str:
        return _app()

    for address in _ADDRESSES:
        blueprint.add_url_rule(address, f"app_{address}", lambda **_: _app())

    @blueprint.get("/docs")
    def docs_page() -> str:
        return render_template(
            "docs.html",
            settings=current_resources().settings,
            host=_host(),
            services=GRPC_SERVICES,
            guides=sorted(page.stem for page in _guides().glob("[a-z]*.md")),
        )

    @blueprint.get("/docs/<path:name>.md")
    def guide(name: str) -> Response:
        """A page of the documentation, as text."""
        if not _guides().is_dir():
            abort(404, "The documentation is not installed here.")
        return send_from_directory(_guides(), f"{name}.md", mimetype="text/plain")

    @blueprint.get("/openapi-doors.json")
    def doors() -> Response:
        return answer(description(current_resources().settings, _host()))

    return blueprint


def _app() -> str:
    settings = current_resources().settings
    return render_template(
        "app.html",
        api=settings.api_v1_prefix,
        doors=addresses(settings, _host()),
        needs_key=settings.auth == "keys",
        modules=_preloaded(),
        view_styles=_view_styles(),
    )


@functools.cache
def _view_styles() -> list[str]:
    files = (path for path in FOLDER.glob("*/*.css") if path.parent.name != "vendor")
    return sorted(str(path.relative_to(FOLDER)) for path in files)


@functools.cache
def _preloaded() -> list[str]:
    files = (path for folder in _PRELOADED for path in (FOLDER / folder).glob("*.js"))
    return sorted(str(path.relative_to(FOLDER)) for path in files if path.name != "uplot.js")


def _guides() -> Path:
    """The folder of the guides; it may not exist."""
    return next((each for each in _FOLDERS if each.is_dir()), _FOLDERS[0])


def _host() -> str:
    """The name by which the client reaches this machine."""
    return urlsplit(f"//{request.host}").hostname or "localhost"
