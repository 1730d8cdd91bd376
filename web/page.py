"""The web page and the documentation page; all they need ships with the project."""

from flask import Blueprint, render_template

from web.services import services


def page_blueprint() -> Blueprint:
    """The routes `/`, `/traces` and `/docs`, and the files below `/static`."""
    blueprint = Blueprint(
        "page",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/static",
    )

    @blueprint.get("/")
    def logs_page() -> str:
        return render_template("logs.html", api=services().settings.api_v1_prefix)

    @blueprint.get("/traces")
    def traces_page() -> str:
        return render_template("traces.html", api=services().settings.api_v1_prefix)

    @blueprint.get("/docs")
    def docs_page() -> str:
        return render_template("docs.html")

    return blueprint
