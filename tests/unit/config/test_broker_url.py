"""Which values REDIS_URL takes."""

import pytest

from config.settings import Settings, SettingsError, load


@pytest.mark.parametrize(
    "url",
    [
        "",
        "redis://broker:6379/0",
        "rediss://sheaf:pass,word@broker:6380/1?ssl_ca_certs=/etc/ssl/ca.pem",
    ],
)
def test_the_address_of_one_server_is_taken(url):
    assert Settings(redis_url=url).redis_url == url


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sentinel://:pass1234@one:26379;sentinel://two:26379", "sentinel:// is not supported"),
        ("redis://:pass1234@one:6379;redis://two:6379", "must name one server"),
        ("redis://:pass1234@one:6379,two:6379/0", "must name one server"),
        ("redis://a:1,redis://:pass1234@a:1/0", "names a:1/0 twice"),
        ("redis://a#closed,redis://:pass1234@b#closing", "every address is marked #closed"),
        ("redis://a:1,sentinel://:pass1234@one:26379", "sentinel:// is not supported"),
        ("unix:///run/valkey.sock?password=pass1234", "must be the address of one server"),
        ("pass1234@broker:6379", "must be the address of one server"),
    ],
)
def test_other_addresses_are_refused_with_the_reason_and_without_the_password(
    monkeypatch, url, says
):
    monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(SettingsError) as refused:
        load()
    assert says in str(refused.value)
    assert "REDIS_URL" in str(refused.value)
    assert "pass1234" not in str(refused.value)


@pytest.mark.parametrize("between", [",", " ", ", ", "\n"])
def test_several_addresses_are_ledgers_and_the_first_is_the_main_broker(between):
    urls = ("redis://me:pass,word@one:6380/1", "rediss://Two#closing", "redis://[::1]:1/2#closed")
    settings = Settings(redis_url=between.join(urls))
    assert settings.broker_url == urls[0]
    assert [tuple(each) for each in settings.ledger_addresses] == [
        (urls[0], "one:6380/1", True, False),
        (urls[1].removesuffix("#closing"), "two:6379/0", True, True),
        ("redis://[::1]:1/2", "[::1]:1/2", False, False),
    ]


def test_without_an_address_the_ledger_is_in_the_embedded_valkey():
    [address] = Settings(valkey_port=1234).ledger_addresses
    assert address.url == Settings(valkey_port=1234).broker_url
    assert address.name == "127.0.0.1:1234/0"
