"""A slash at the end of a path makes no difference, and is not redirected."""

import re

import pytest

REDIRECTING = {("POST", "/sign-out"), ("GET", "/sign-in/workspace")}
"""Steps that lead to another page."""


def paths(app):
    """Each method and path of the routes, with `x` for every parameter."""
    for rule in app.url_map.iter_rules():
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            yield method, re.sub(r"<(?:\w+:)?\w+>", "x", rule.rule)


def outcome(answer):
    """An answer's status, wrong fields and reason."""
    body = answer.get_json(silent=True) or {}
    error = body.get("error", {})
    return answer.status_code, error.get("fields"), error.get("reason")


@pytest.mark.parametrize("slashes", ["/", "//"])
def test_every_path_is_answered_alike_with_and_without(make_app, slashes):
    app = make_app(broker_timeout=0.2)
    client = app.test_client()
    for method, path in paths(app):
        if path in {"/", "/ws/live"}:
            continue
        plain = client.open(path, method=method, query_string="unknown_=1")
        slashed = client.open(path + slashes, method=method, query_string="unknown_=1")
        assert outcome(slashed) == outcome(plain), (method, path)
        assert slashed.location == plain.location, (method, path)
        redirects = 300 <= slashed.status_code < 400
        assert redirects == ((method, path) in REDIRECTING), (method, path)


def test_the_root_stays_the_root(client):
    assert client.get("/").status_code == 200
