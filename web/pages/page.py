"""The web pages. Everything they need ships with the project."""

from pathlib import Path
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, render_template, request, send_from_directory

from serving.doors import GRPC_SERVICES
from web.http.answers import answer
from web.http.doors import description
from web.http.resources import current_resources

_FOLDERS = (Path(__file__).resolve().parents[2] / "docs", Path.cwd() / "docs")


def page_blueprint() -> Blueprint:
    """The routes `/`, `/traces` and `/docs`, and the files below `/static` and `/docs`."""
    blueprint = Blueprint(
        "page",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/static",
    )

    @blueprint.get("/")
    def logs_page() -> str:
        return render_template("logs.html", api=current_resources().settings.api_v1_prefix)

    @blueprint.get("/traces")
    def traces_page() -> str:
        return render_template("traces.html", api=current_resources().settings.api_v1_prefix)

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


def _guides() -> Path:
    """The folder of the guides; it may not exist."""
    return next((each for each in _FOLDERS if each.is_dir()), _FOLDERS[0])


def _host() -> str:
    """The name by which the client reaches this machine."""
    return urlsplit(f"//{request.host}").hostname or "localhost"
