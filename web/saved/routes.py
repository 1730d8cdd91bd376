"""Saved searches and dashboards: list, read, make, change and delete them."""

from typing import Any

from flask import Response

from ledger.saved import Saved, SavedKind
from web.common.tenancy import WorkspaceArguments
from web.http.answers import about_request, answer
from web.http.blueprint import ApiBlueprint
from web.http.errors import WrongParameterError
from web.saved import keeping
from web.saved.parameters import Schemas, mistakes
from web.saved.schemas import (
    DashboardAnswer,
    DashboardBody,
    DashboardsAnswer,
    DeletedAnswer,
    SavedSearchAnswer,
    SavedSearchesAnswer,
    SearchBody,
    VersionArguments,
)

_NO_SEARCH = {404: "The workspace has no such saved search"}
_NO_DASHBOARD = {404: "The workspace has no such dashboard"}
_CHANGED = {409: "It has been changed since it was read"}
_SEARCHES: SavedKind = "saved-searches"
_DASHBOARDS: SavedKind = "dashboards"


def saved_searches_blueprint(schemas: Schemas) -> ApiBlueprint:
    """The routes below `/saved-searches`; `schemas` check filters."""
    blueprint = ApiBlueprint(_SEARCHES, __name__, description="Saved searches")
    one = "/<saved_search_id>"

    @blueprint.endpoint("", SavedSearchesAnswer, takes=WorkspaceArguments, cost="none")
    def searches(arguments: dict[str, Any]) -> Response:
        """List the saved searches of a workspace, by name."""
        found = keeping.book_of(_SEARCHES, arguments).all()
        return answer({"saved_searches": [keeping.view(each) for each in found], **about_request()})

    @blueprint.endpoint(
        "", SavedSearchAnswer, takes=SearchBody, method="POST", status=201, cost="none"
    )
    def create(arguments: dict[str, Any]) -> Response:
        """Save a search. What GET answers can be sent as it is."""
        return _one(keeping.create(_SEARCHES, arguments, _search(arguments, schemas)), 201)

    @blueprint.endpoint(
        one, SavedSearchAnswer, takes=WorkspaceArguments, otherwise=_NO_SEARCH, cost="none"
    )
    def search(arguments: dict[str, Any], saved_search_id: str) -> Response:
        """Get a saved search."""
        return _one(keeping.found(_SEARCHES, arguments, saved_search_id))

    @blueprint.endpoint(
        one,
        SavedSearchAnswer,
        takes=SearchBody,
        method="PUT",
        otherwise={**_NO_SEARCH, **_CHANGED},
        cost="none",
    )
    def change(arguments: dict[str, Any], saved_search_id: str) -> Response:
        """Replace a saved search, if it is still the version that was read."""
        content = _search(arguments, schemas)
        return _one(keeping.change(_SEARCHES, arguments, saved_search_id, content))

    @blueprint.endpoint(
        one,
        DeletedAnswer,
        takes=VersionArguments,
        method="DELETE",
        otherwise={**_NO_SEARCH, **_CHANGED},
        cost="none",
    )
    def delete(arguments: dict[str, Any], saved_search_id: str) -> Response:
        """Delete a saved search."""
        keeping.delete(_SEARCHES, arguments, saved_search_id)
        return answer({"deleted": 1, **about_request()})

    return blueprint


def dashboards_blueprint(schemas: Schemas) -> ApiBlueprint:
    """The routes below `/dashboards`; `schemas` check panels."""
    blueprint = ApiBlueprint(_DASHBOARDS, __name__, description="Dashboards")
    one = "/<dashboard_id>"

    @blueprint.endpoint("", DashboardsAnswer, takes=WorkspaceArguments, cost="none")
    def dashboards(arguments: dict[str, Any]) -> Response:
        """List the dashboards of a workspace, by name, without their panels."""
        found = keeping.book_of(_DASHBOARDS, arguments).all()
        return answer({"dashboards": [_summary(each) for each in found], **about_request()})

    @blueprint.endpoint(
        "", DashboardAnswer, takes=DashboardBody, method="POST", status=201, cost="none"
    )
    def create(arguments: dict[str, Any]) -> Response:
        """Save a dashboard. What GET answers can be sent as it is, which imports it."""
        return _one(keeping.create(_DASHBOARDS, arguments, _dashboard(arguments, schemas)), 201)

    @blueprint.endpoint(
        one, DashboardAnswer, takes=WorkspaceArguments, otherwise=_NO_DASHBOARD, cost="none"
    )
    def dashboard(arguments: dict[str, Any], dashboard_id: str) -> Response:
        """Get a dashboard. The answer is also its export."""
        return _one(keeping.found(_DASHBOARDS, arguments, dashboard_id))

    @blueprint.endpoint(
        one,
        DashboardAnswer,
        takes=DashboardBody,
        method="PUT",
        otherwise={**_NO_DASHBOARD, **_CHANGED},
        cost="none",
    )
    def change(arguments: dict[str, Any], dashboard_id: str) -> Response:
        """Replace a dashboard, if it is still the version that was read."""
        content = _dashboard(arguments, schemas)
        return _one(keeping.change(_DASHBOARDS, arguments, dashboard_id, content))

    @blueprint.endpoint(
        one,
        DeletedAnswer,
        takes=VersionArguments,
        method="DELETE",
        otherwise={**_NO_DASHBOARD, **_CHANGED},
        cost="none",
    )
    def delete(arguments: dict[str, Any], dashboard_id: str) -> Response:
        """Delete a dashboard."""
        keeping.delete(_DASHBOARDS, arguments, dashboard_id)
        return answer({"deleted": 1, **about_request()})

    return blueprint


def _search(arguments: dict[str, Any], schemas: Schemas) -> dict[str, Any]:
    """The search to save. Raises WrongParameterError."""
    schema = schemas["search", arguments["signal"]]
    q = {"q": arguments["q"]} if arguments["q"] else {}
    if "q" in arguments["filters"]:
        raise WrongParameterError("filters.q", "Give the query as q.")
    if wrong := mistakes({**arguments["filters"], **q}, schema):
        of_q = {"q": wrong.pop("q")} if "q" in wrong else {}
        raise WrongParameterError.of_all(of_q | ({"filters": wrong} if wrong else {}))
    return keeping.content_of(arguments)


def _dashboard(arguments: dict[str, Any], schemas: Schemas) -> dict[str, Any]:
    """The dashboard to save. Raises WrongParameterError."""
    wrong = {
        place: messages
        for place, panel in enumerate(arguments["panels"])
        if (messages := _mistakes_of_panel(panel, schemas))
    }
    if wrong:
        raise WrongParameterError.of_all({"panels": wrong})
    return keeping.content_of(arguments)


def _mistakes_of_panel(panel: dict[str, Any], schemas: Schemas) -> dict[str, Any]:
    kind = panel["kind"]
    fitting = sorted(each for use, each in schemas if use == kind)
    signal = panel.setdefault("signal", "logs" if "logs" in fitting else fitting[0])
    schema = schemas.get((kind, signal))
    if schema is None:
        return {"signal": [f"A panel of the kind {kind} shows {' or '.join(fitting)}."]}
    wrong = mistakes(panel["query"], schema)
    if not wrong and kind == "top_values" and len(_texts(panel["query"].get("fields"))) != 1:
        wrong = {"fields": ["Name one field."]}
    return {"query": wrong} if wrong else {}


def _texts(value: object) -> list[object]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _summary(saved: Saved) -> dict[str, Any]:
    found = keeping.view(saved)
    return {**found, "panel_count": len(found.pop("panels"))}


def _one(saved: Saved, status: int = 200) -> Response:
    made = answer({**keeping.view(saved), **about_request()}, status)
    made.set_etag(str(saved.version))
    return made
