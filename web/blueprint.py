"""Blueprints whose endpoints state what they take and what they give."""

from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any, TypeVar

import marshmallow as ma
from flask import Response
from flask_smorest import Blueprint

from web.admission import admitted
from web.arguments import ArgumentsParser

View = TypeVar("View", bound=Callable[..., Response])


class ApiBlueprint(Blueprint):  # type: ignore[misc] # flask-smorest ships no types
    """A group of endpoints that read their arguments strictly."""

    ARGUMENTS_PARSER = ArgumentsParser()

    def endpoint(  # noqa: PLR0913 - each is a part of what an endpoint states
        self,
        rule: str,
        gives: type[ma.Schema] | str,
        *,
        takes: type[ma.Schema] | None = None,
        method: str = "GET",
        otherwise: dict[int, str] | None = None,
        status: int = 200,
        body: bool = False,
    ) -> Callable[[View], View]:
        """Register a view that answers `rule`, when its turn comes: see :mod:`web.admission`.

        Args:
            rule: path below the blueprint's prefix.
            gives: what it answers with `status`, for the documentation: JSON of this schema, or a
                file of this media type.
            takes: its arguments, which are checked: query parameters, or a POST's or PUT's JSON
                body.
            method: HTTP method.
            otherwise: other statuses that it answers, with their meaning.
            status: what it answers with when all is well.
            body: take the arguments from a JSON body with any method.
        """
        location = "json" if body or method in {"POST", "PUT"} else "query"

        def register(view: View) -> View:
            in_turn = update_wrapper(partial(admitted, view), view)
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
