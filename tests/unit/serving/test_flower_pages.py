"""Who may see Flower, and which changes it takes from a browser."""

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from access.principal import NotAuthenticatedError, Principal
from serving.flower import GuardedFlower, _is_own_page


@pytest.mark.parametrize(
    ("headers", "is_own"),
    [
        ({}, True),
        ({"Origin": "http://tasks.example:5555"}, True),
        ({"Origin": "http://tasks.example:5555", "Sec-Fetch-Site": "same-origin"}, True),
        # Over plain HTTP, browsers send the origin only.
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://tasks.example:8080"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
    ],
)
def test_a_change_is_taken_from_flowers_own_page_only(headers, is_own):
    request = HTTPServerRequest(
        start_line=RequestStartLine("POST", "/api/worker/shutdown/one", "HTTP/1.1"),
        headers=HTTPHeaders({"Host": "tasks.example:5555", **headers}),
    )
    assert _is_own_page(request) is is_own


@pytest.mark.parametrize(
    ("principal", "status"),
    [
        (None, 401),
        (Principal("1", "reader", frozenset({"read"})), 403),
        (Principal("1", "of one workspace", frozenset({"admin"}), "acme"), 403),
        (Principal("1", "of all", frozenset({"admin"})), None),
    ],
)
@pytest.mark.parametrize("path", ["/", "/tasks", "/api/workers", "/metrics", "/healthcheck/"])
def test_flower_is_for_those_who_may_do_everything(principal, status, path):
    flower = GuardedFlower.__new__(GuardedFlower)
    flower.access = Known(principal)
    start = RequestStartLine("GET", path, "HTTP/1.1")
    refusal = flower._refusal(
        HTTPServerRequest(start_line=start, headers=HTTPHeaders({"Host": "x"}))
    )
    assert (refusal and refusal["status"]) == status


class Known:
    """Access of one principal, or of nobody."""

    def __init__(self, principal):
        self._principal = principal

    def principal(self, _authorization):
        if self._principal is None:
            raise NotAuthenticatedError("The key is not known.")
        return self._principal
