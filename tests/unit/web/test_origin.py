"""Which pages are Sheaf's own."""

import pytest
from flask import Flask

from config.settings import Settings
from web.http.origin import is_same_origin
from web.http.resources import Resources, provide


def is_own(origin, *, address="127.0.0.1", public_url="", trusted="127.0.0.1", **headers):
    """Whether a page of `origin` is Sheaf's own, for a request with these headers."""
    app = Flask("origin")
    settings = Settings(public_url=public_url, trusted_proxies=trusted)
    provide(app, Resources(settings, *[None] * 8))
    sent = {name.replace("_", "-"): value for name, value in headers.items()} | {"Origin": origin}
    with app.test_request_context("/", headers=sent, environ_base={"REMOTE_ADDR": address}):
        return is_same_origin()


@pytest.mark.parametrize(
    ("origin", "host", "own"),
    [
        ("http://here", "here", True),
        ("https://here", "here", True),
        ("http://here:8000", "here:8000", True),
        ("http://here", "here:80", True),
        ("http://HERE", "here", True),
        ("http://[::1]:8000", "[::1]:8000", True),
        ("http://here:81", "here", False),
        ("http://here:9000", "here:8000", False),
        ("ftp://here", "here", False),
        ("http://here.evil.example", "here", False),
        ("http://evil@here", "here", False),
        ("http://here:x", "here", False),
        ("null", "here", False),
        ("", "here", False),
    ],
)
def test_a_page_is_own_if_host_and_port_are_the_requests(origin, host, own):
    assert is_own(origin, Host=host) is own


def test_a_page_at_the_public_address_is_own_whatever_the_request_names():
    public = "https://sheaf.example.com:8443"
    assert is_own(public, public_url=f"{public}/", Host="inner")
    assert not is_own("https://sheaf.example.com", public_url=public, Host="inner")


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Forwarded_Host": "here:8080"},
        {"X_Forwarded_Host": "here:8080, inner"},
        {"X_Forwarded_Port": "8080"},
        {"X_Forwarded_Host": "here", "X_Forwarded_Port": "8080"},
    ],
)
def test_a_trusted_proxy_says_at_which_port_the_page_is(headers):
    assert is_own("http://here:8080", Host="here", **headers)
    assert not is_own("http://here:8081", Host="here", **headers)
    assert is_own(
        "http://here:8080", address="10.1.2.3", trusted="10.0.0.0/8", Host="here", **headers
    )


def test_what_others_say_about_hosts_is_not_believed():
    forged = {"X_Forwarded_Host": "evil.example"}
    assert not is_own("http://evil.example", address="192.0.2.7", Host="here", **forged)
    assert not is_own("http://evil.example", trusted="", Host="here", **forged)
