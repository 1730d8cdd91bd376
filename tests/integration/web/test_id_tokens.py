"""Signing in with an ID token that is not right."""

import pytest

from tests.integration.web.faulty_provider import CLIENT_ID, CLIENT_SECRET, FaultyProvider
from web.app import create_app
from web.http.resources import current_resources

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def faulty(free_port):
    made = FaultyProvider(free_port())
    yield made
    made.stop()


@pytest.fixture(scope="module")
def make_app(migrated, shared_valkey, faulty):
    settings = migrated.model_copy(
        update={
            "redis_url": shared_valkey.url,
            "auth": "keys",
            "secret_key": "s" * 32,
            "oidc_issuer": faulty.issuer,
            "oidc_client_id": CLIENT_ID,
            "oidc_client_secret": CLIENT_SECRET,
            "oidc_roles": "sre=admin",
        }
    )
    made = []

    def make():
        made.append(create_app(settings))
        return made[-1]

    yield make
    for each in made:
        with each.app_context():
            resources = current_resources()
        resources.access.stop()
        resources.clickhouse.close()
        resources.ledger.close()


@pytest.fixture(scope="module")
def app(make_app):
    return make_app()


@pytest.fixture
def sign_in(app, faulty):
    """Sign in; returns the answer, and the page of a browser that came so far."""
    faulty.reset()
    browser = app.test_client()

    def follow():
        begun = browser.get("/sign-in/single-sign-on")
        answer = browser.get(faulty.answer(begun.location))
        return answer, browser.get("/")

    return follow


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"aud": [CLIENT_ID]},
        {"aud": [CLIENT_ID, "another"], "azp": CLIENT_ID},
        {"iat": 60},
        {"exp": -60, "iat": -120},
        {"groups": "sre"},
    ],
)
def test_a_right_token_signs_in_even_if_a_clock_is_a_minute_off(faulty, sign_in, changes):
    faulty.changes = changes
    answer, page = sign_in()
    assert (answer.status_code, page.status_code) == (303, 200)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": ["another"]},
        {"aud": "another", "azp": CLIENT_ID},
        {"aud": [CLIENT_ID, "another"], "azp": "another"},
        {"aud": [CLIENT_ID, "another"]},
        {"aud": None},
        {"exp": -3600, "iat": -7200},
        {"exp": None},
        {"iat": 3600},
        {"nbf": 3600},
        {"nonce": "another"},
        {"nonce": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
        {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    ],
)
def test_a_token_with_a_wrong_claim_is_refused(faulty, sign_in, changes):
    faulty.changes = changes
    answer, page = sign_in()
    assert answer.status_code == 403
    assert "was refused" in answer.text
    assert page.status_code == 303


@pytest.mark.parametrize(
    "how",
    [
        "signed_by_another_key",
        "signed_by_an_unknown_key",
        "signed_with_the_secret",
        "signed_with_the_public_key",
        "unsigned",
        "with_another_payload",
        "missing",
        "nonsense",
    ],
)
def test_a_token_that_the_provider_did_not_sign_is_refused(faulty, sign_in, how):
    faulty.sign = getattr(faulty, how)
    answer, page = sign_in()
    assert answer.status_code == 403
    assert page.status_code == 303


@pytest.mark.parametrize("groups", [None, [], ["football"], [["sre"]], {"sre": 1}, 7])
def test_groups_that_are_not_the_right_ones_allow_nothing(faulty, sign_in, groups):
    faulty.changes = {"groups": groups}
    faulty.user_info = {"sub": "ada"}
    answer, page = sign_in()
    assert answer.status_code == 403
    assert "none of your groups" in answer.text
    assert page.status_code == 303


def test_groups_that_are_only_in_the_user_info_count(faulty, sign_in):
    faulty.changes = {"groups": None}
    assert sign_in()[1].status_code == 200


def test_the_user_info_of_another_user_is_refused(faulty, sign_in):
    faulty.changes = {"groups": None}
    faulty.user_info = {"sub": "eve", "groups": ["sre"]}
    answer, page = sign_in()
    assert answer.status_code == 403
    assert page.status_code == 303


@pytest.mark.parametrize(("status", "code"), [(500, 503), (400, 403)])
def test_an_error_of_the_provider_signs_nobody_in(faulty, sign_in, status, code):
    faulty.token_status = status
    faulty.sign = faulty.missing
    answer, page = sign_in()
    assert answer.status_code == code
    assert page.status_code == 303


def test_a_provider_without_a_key_of_its_own_is_refused_until_it_has_one(faulty, make_app):
    faulty.reset()
    faulty.algorithms = ["HS256", "none"]
    browser = make_app().test_client()
    answer = browser.get("/sign-in/single-sign-on")
    assert answer.status_code == 403
    assert "signs with HS256, none" in answer.text
    faulty.reset()
    assert browser.get("/sign-in/single-sign-on").status_code == 302
