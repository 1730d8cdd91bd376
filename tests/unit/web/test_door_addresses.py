import pytest

from config.settings import Settings
from web.app import create_app
from web.http.doors import addresses


@pytest.mark.parametrize(
    ("host", "shown"),
    [("logs.example", "logs.example"), ("10.0.0.7", "10.0.0.7"), ("2001:db8::7", "[2001:db8::7]")],
)
def test_doors_are_addressed_as_the_client_reaches_this_machine(host, shown):
    settings = Settings(otel_http_port=14318, otel_grpc_port=14317)
    assert addresses(settings, host) == {
        "http": f"http://{shown}:14318",
        "grpc": f"http://{shown}:14317",
    }


def test_with_a_certificate_the_doors_and_the_description_say_https(tmp_path):
    files = {name: str(tmp_path / name) for name in ("tls_cert", "tls_key")}
    settings = Settings(**files)
    assert addresses(settings, "logs.example")["grpc"].startswith("https://")
    found = create_app(settings).test_client().get("/openapi-doors.json").json
    assert found["servers"][0]["url"].startswith("https://")


def test_the_page_knows_the_doors_and_whether_senders_need_a_key():
    page = create_app(Settings(otel_http_port=14318)).test_client().get("/").text
    assert 'data-http-door="http://localhost:14318"' in page
    assert "data-needs-key" not in page
