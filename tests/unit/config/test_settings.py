import pytest

from config.settings import Settings, SettingsError, load


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_with_nothing_set_both_servers_are_embedded():
    settings = load()
    assert settings.embedded_clickhouse
    assert settings.embedded_valkey
    assert settings.broker_url == "redis://127.0.0.1:16379/0"


@pytest.mark.parametrize(
    ("secure", "native", "http"), [("", 9000, 8123), ("true", 9440, 8443), ("0", 9000, 8123)]
)
def test_a_clickhouse_of_ones_own_is_looked_for_on_its_usual_ports(
    monkeypatch, secure, native, http
):
    monkeypatch.setenv("CLICKHOUSE_HOST", "db")
    if secure:
        monkeypatch.setenv("CLICKHOUSE_SECURE", secure)
    settings = load()
    assert (settings.clickhouse_port, settings.clickhouse_http_port) == (native, http)


def test_a_port_that_was_set_stays(monkeypatch):
    monkeypatch.setenv("CLICKHOUSE_HOST", "db")
    monkeypatch.setenv("CLICKHOUSE_PORT", "9999")
    assert load().clickhouse_port == 9999


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_PORT", "0"),
        ("API_PORT", "65536"),
        ("LOG_BATCH_SIZE", "many"),
        ("CLICKHOUSE_DATABASE", "a; DROP"),
        ("APPENDFSYNC", "never"),
        ("API_V1_PREFIX", "no-slash"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{name}='{value}': "):
        load()


def test_two_services_on_one_port_are_both_named(monkeypatch):
    monkeypatch.setenv("API_PORT", "4318")
    with pytest.raises(SettingsError, match="OTEL_HTTP_PORT and API_PORT are both 4318"):
        load()


def test_settings_do_not_change_once_read():
    with pytest.raises(ValueError, match="frozen"):
        load().api_port = 1


def test_a_password_does_not_show_where_settings_are_printed(monkeypatch):
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", "hunter2")
    assert "hunter2" not in repr(load())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_without_keys_others_reach_sheaf_only_if_that_is_said(host):
    with pytest.raises(ValueError, match="ALLOW_OPEN=true"):
        Settings(listen_host=host, auth="off")
    assert Settings(listen_host=host, auth="off", allow_open=True)
    assert Settings(listen_host=host, auth="keys")
    assert Settings(listen_host="127.0.0.1", auth="off")
