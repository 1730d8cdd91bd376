"""Which settings of single sign-on are accepted."""

import pytest

from cli.settings_table import text
from config.settings import Settings, SettingsError, load

RIGHT = {
    "AUTH": "keys",
    "OIDC_ISSUER": "https://login.example.com/realms/main",
    "OIDC_CLIENT_ID": "sheaf",
    "OIDC_CLIENT_SECRET": "hunter2-hunter2",
    "OIDC_ROLES": "sre=admin, payments=read:payments",
}


@pytest.fixture
def load_with(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)

    def read(**changes):
        for name, value in (RIGHT | changes).items():
            monkeypatch.setenv(name, value)
        return load()

    return read


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"OIDC_ISSUER": "http://127.0.0.1:8080"},
        {"OIDC_ISSUER": "http://localhost/"},
        {"PUBLIC_URL": "https://sheaf.example.com/"},
        {"PUBLIC_URL": "http://sheaf:8000"},
    ],
)
def test_right_settings_are_accepted(load_with, changes):
    assert load_with(**changes).oidc_client_id == "sheaf"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"OIDC_ISSUER": ""}, "OIDC_ISSUER must be set too"),
        ({"OIDC_CLIENT_ID": ""}, "OIDC_CLIENT_ID must be set too"),
        ({"OIDC_CLIENT_SECRET": ""}, "OIDC_CLIENT_SECRET must be set too"),
        ({"OIDC_ROLES": ""}, "OIDC_ROLES must be set too"),
        ({"AUTH": "off"}, "OIDC_ISSUER needs AUTH=keys"),
        ({"OIDC_SCOPES": "profile"}, "OIDC_SCOPES must contain openid"),
        ({"OIDC_GROUPS_CLAIM": ""}, "OIDC_GROUPS_CLAIM"),
        ({"OIDC_ROLES": "sre=root"}, "OIDC_ROLES: 'sre=root'"),
        ({"OIDC_ISSUER": "login.example.com"}, "OIDC_ISSUER must be an address"),
        ({"OIDC_ISSUER": "http://login.example.com"}, "OIDC_ISSUER must begin with https"),
        ({"OIDC_ISSUER": "https://u:p@login.example.com"}, "OIDC_ISSUER must be an address"),
        ({"PUBLIC_URL": "sheaf.example.com"}, "PUBLIC_URL must be an address"),
        ({"PUBLIC_URL": "https://x/?a=b"}, "PUBLIC_URL must be an address"),
        ({"PUBLIC_URL": "https://x/logs"}, "PUBLIC_URL must have no path"),
    ],
)
def test_wrong_settings_are_refused_with_a_sentence(load_with, changes, error):
    with pytest.raises(SettingsError, match=error) as raised:
        load_with(**changes)
    assert RIGHT["OIDC_CLIENT_SECRET"] not in str(raised.value)


def test_the_secret_is_not_shown(load_with):
    settings = load_with()
    assert RIGHT["OIDC_CLIENT_SECRET"] not in repr(settings)
    assert RIGHT["OIDC_CLIENT_SECRET"] not in text(settings)
    assert "OIDC_CLIENT_SECRET=*****" in text(settings)
