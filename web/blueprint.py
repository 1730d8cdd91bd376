"""Blueprints whose endpoints state what they take and what they give."""

from collections.abc import Callable
from typing import Any, TypeVar

import marshmallow as ma
from flask import Response
from flask_smorest import Blueprint

from web.arguments import ArgumentsParser

View = TypeVar("View", bound=Callable[..., Response])


class ApiBlueprint(Blueprint):  # type: ignore[misc] # flask-smorest ships no types
    """A group of endpoints that read their arguments strictly."""

    ARGUMENTS_PARSER = ArgumentsParser()

    def endpoint(
        self,
        rule: str,
        gives: type[ma.Schema],
        *,
        takes: type[ma.Schema] | None = None,
        method: str = "GET",
        otherwise: dict[int, str] | None = None,
    ) -> Callable[[View], View]:
        """Register a view that answers `rule`.

        Args:
            rule: path below the blueprint's prefix.
            gives: what it answers with 200, for the documentation.
            takes: its arguments, which are checked: query parameters, or a POST's JSON body.
            method: HTTP method.
            otherwise: other statuses that it answers, with their meaning.
        """
        location = "json" if method == "POST" else "query"

        def register(view: View) -> View:
            documented: Any = self.response(200, gives)(view)
            for status, meaning in (otherwise or {}).items():
                documented = self.alt_response(status, description=meaning)(documented)
            if takes is not None:
                required = {"required": False} if location == "json" else {}
                documented = self.arguments(takes, location=location, **required)(documented)
            self.route(rule, methods=[method])(documented)
            return view

        return register
