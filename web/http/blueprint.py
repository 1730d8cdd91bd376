"""Blueprints whose endpoints declare their arguments, answers and cost."""

from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any, TypeVar

import marshmallow as ma
from flask import Response
from flask_smorest import Blueprint

from access.principal import Scope
from web.http.access import needs
from web.http.admission import admitted
from web.http.arguments import ArgumentsParser
from web.http.audit import recorded
from web.http.costs import CostOf

View = TypeVar("View", bound=Callable[..., Response])


class ApiBlueprint(Blueprint):  # type: ignore[misc] # flask-smorest ships no types
    """A group of endpoints that read their arguments strictly."""

    ARGUMENTS_PARSER = ArgumentsParser()

    def endpoint(  # noqa: PLR0913 - each is a part of the declaration
        self,
        rule: str,
        gives: type[ma.Schema] | str,
        *,
        takes: type[ma.Schema] | None = None,
        method: str = "GET",
        otherwise: dict[int, str] | None = None,
        status: int = 200,
        body: bool = False,
        cost: CostOf = "heavy",
        scope: Scope | None = None,
        everywhere: bool = False,
        audited: bool | None = None,
    ) -> Callable[[View], View]:
        """Register a view for `rule`. Requests wait for their turn, see :mod:`web.http.admission`.

        Args:
            rule: path below the blueprint's prefix.
            gives: the documented answer: JSON of this schema, or a file of this media type.
            takes: schema of the arguments: query parameters, or the JSON body of POST and PUT.
            method: HTTP method.
            otherwise: other statuses, with their meaning.
            status: the status of success.
            body: take the arguments from a JSON body with any method.
            cost: what a request costs the database.
            scope: what the key needs; None: `read` for GET, `admin` for the other methods.
            everywhere: whether it concerns all workspaces.
            audited: whether it is recorded in the audit log; None: if it changes something.
        """
        location = "json" if body or method in {"POST", "PUT"} else "query"

        def register(view: View) -> View:
            acts = method != "GET" and scope != "read" if audited is None else audited
            act = recorded(view, self.name) if acts else view
            in_turn = update_wrapper(partial(admitted, act, cost), view)
            by_client = takes is not None and "client_id" in takes().fields
            needs(in_turn, scope=scope, everywhere=everywhere, by_client=by_client)
            documented: Any = self.response(status, **_documented(gives))(in_turn)
            for other, meaning in (otherwise or {}).items():
                documented = self.alt_response(other, description=meaning)(documented)
            if takes is not None:
                required = {"required": False} if location == "json" else {}
                documented = self.arguments(takes, location=location, **required)(documented)
            self.route(rule, methods=[method])(documented)
            return view

        return register


def _documented(gives: type[ma.Schema] | str) -> dict[str, Any]:
    if isinstance(gives, str):
        return {"schema": {"type": "string", "format": "binary"}, "content_type": gives}
    return {"schema": gives}
