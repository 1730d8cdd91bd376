"""Signing in to the page at a real provider."""

from urllib.parse import parse_qs, urlsplit

import pytest

from access.store import Grant
from tests.glewlwyd import CLIENT_ID, CLIENT_SECRET
from web.app import create_app
from web.http.access import still_allowed
from web.http.resources import current_resources

pytestmark = pytest.mark.integration

ROLES = "sre=admin, payments=read:payments, shop=read:shop, shop=ingest:shop"
ORIGIN = {"Origin": "http://localhost"}
BEGIN = "/sign-in/single-sign-on"
PUBLIC = "https://sheaf.example.com"
USERS = {
    "ada": ["sre", "payments"],
    "bob": ["payments", "football"],
    "cleo": ["payments", "shop"],
    "eve": ["football"],
}


@pytest.fixture(scope="module")
def make_app(migrated, shared_valkey, provider, tmp_path_factory):
    """Make apps that share a secret, with these settings."""
    callback = "/sign-in/callback"
    provider.configure([f"http://localhost{callback}", f"{PUBLIC}{callback}"], USERS)
    made = []

    def make(**changes):
        settings = migrated.model_copy(
            update={
                "redis_url": shared_valkey.url,
                "auth": "keys",
                "secret_key": "s" * 32,
                "data_dir": tmp_path_factory.mktemp("access"),
                "oidc_issuer": provider.issuer,
                "oidc_client_id": CLIENT_ID,
                "oidc_client_secret": CLIENT_SECRET,
                "oidc_scopes": "openid",
                "oidc_roles": ROLES,
                **changes,
            }
        )
        made.append(create_app(settings))
        return made[-1]

    yield make
    for app in made:
        with app.app_context():
            resources = current_resources()
        resources.access.stop()
        resources.clickhouse.close()
        resources.ledger.close()


@pytest.fixture(scope="module")
def app(make_app):
    return make_app()


@pytest.fixture
def browser(app):
    return app.test_client()


@pytest.fixture
def sign_in(provider):
    """Sign a browser in as a user; returns the last answer."""

    def follow(browser, name, place="/"):
        begun = browser.get(BEGIN, query_string={"next": place})
        assert begun.status_code == 302, begun.text
        return browser.get(provider.sign_in(name, begun.location))

    return follow


def acts(browser):
    found = browser.get("/api/v1/audit?action=sign_in").get_json()["acts"]
    return {(act["principal"], act["name"], act["workspace_id"]) for act in found}


def test_a_user_signs_in_sees_only_the_groups_workspace_and_signs_out(browser, sign_in):
    answer = sign_in(browser, "bob", "/traces?x=1")
    assert (answer.status_code, answer.location) == (303, "/traces?x=1")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie

    assert b"Sign out" in browser.get("/").data
    assert browser.get("/api/v1/logs").status_code == 200
    assert browser.get("/api/v1/logs?workspace_id=payments").status_code == 200
    assert browser.get("/api/v1/logs?workspace_id=shop").status_code == 403
    assert browser.get("/metrics").status_code == 403
    assert browser.delete("/api/v1/keys/1", headers=ORIGIN).status_code == 403

    browser.post("/sign-out")
    assert browser.get("/api/v1/logs").status_code == 200
    browser.post("/sign-out", headers=ORIGIN)
    assert browser.get("/api/v1/logs").status_code == 401
    assert browser.get("/").status_code == 303


def test_signing_in_is_in_the_audit_log_with_the_subject(browser, sign_in):
    sign_in(browser, "ada")
    [(principal, _, _)] = [act for act in acts(browser) if act[1:] == ("Ada", "")]
    assert principal.startswith("user:")
    assert len(principal) > len("user:")


def test_a_group_for_all_workspaces_needs_no_choice(browser, sign_in):
    assert sign_in(browser, "ada").location == "/"
    assert browser.get("/metrics").status_code == 200
    assert browser.get("/api/v1/logs?workspace_id=shop").status_code == 200
    assert browser.delete("/api/v1/keys/none", headers=ORIGIN).status_code == 404


def test_a_user_of_several_workspaces_chooses_one_and_can_change_it(browser, sign_in):
    answer = sign_in(browser, "cleo", "/traces")
    assert answer.location == "/sign-in/workspace?next=/traces"
    assert browser.get("/api/v1/logs").status_code == 401
    page = browser.get(answer.location).text
    assert "payments (read)" in page
    assert "shop (ingest, read)" in page
    # The page sends the browser there.
    assert "payments (read)" in browser.get("/", follow_redirects=True).text

    def choose(workspace_id, **headers):
        chosen = {"workspace_id": workspace_id, "next": "/traces"}
        return browser.post("/sign-in/workspace", data=chosen, headers=ORIGIN | headers)

    assert choose("other").status_code == 200
    assert choose("").status_code == 200
    assert choose("shop", Origin="https://evil.example").status_code == 403
    assert browser.get("/api/v1/logs").status_code == 401

    for workspace_id, other in (("shop", "payments"), ("payments", "shop")):
        assert choose(workspace_id).location == "/traces"
        assert browser.get(f"/api/v1/logs?workspace_id={workspace_id}").status_code == 200
        assert browser.get(f"/api/v1/logs?workspace_id={other}").status_code == 403
        assert "/sign-in/workspace" in browser.get("/").text


def test_a_user_without_a_group_that_may_use_sheaf_is_told_so(browser, sign_in):
    answer = sign_in(browser, "eve")
    assert answer.status_code == 403
    assert "signed in as Eve" in answer.text
    assert "OIDC_ROLES" in answer.text
    assert browser.get("/").status_code == 303


def test_the_request_to_the_provider_has_pkce_state_and_nonce(browser):
    asked = parse_qs(urlsplit(browser.get(BEGIN).location).query)
    assert asked["response_type"] == ["code"]
    assert asked["code_challenge_method"] == ["S256"]
    for name in ("code_challenge", "state", "nonce"):
        assert len(asked[name][0]) >= 20


def test_an_answer_is_taken_once_and_only_in_the_browser_that_asked(app, provider, browser):
    answer = provider.sign_in("bob", browser.get(BEGIN).location)
    stranger = app.test_client()
    assert stranger.get(answer).status_code == 400
    assert stranger.get("/").status_code == 303

    assert browser.get(answer).status_code == 303
    again = browser.get(answer)
    assert again.status_code == 400
    assert "already used" in again.text


def test_a_code_that_was_used_is_refused_even_with_the_cookie_from_before(app, provider, browser):
    begun = browser.get(BEGIN)
    thief = app.test_client()
    cookie = begun.headers["Set-Cookie"].partition(";")[0].partition("=")[2]
    thief.set_cookie("sheaf_session", cookie)
    answer = provider.sign_in("bob", begun.location)
    assert browser.get(answer).status_code == 303
    assert thief.get(answer).status_code == 403
    assert thief.get("/").status_code == 303


@pytest.mark.parametrize("query", ["", "?code=x", "?state=x", "?code=x&state=x"])
def test_an_answer_that_nobody_asked_for_is_refused(browser, query):
    assert browser.get(f"/sign-in/callback{query}").status_code == 400
    browser.get(BEGIN)
    assert browser.get(f"/sign-in/callback{query}").status_code == 400


def test_a_refusal_of_the_provider_is_shown_without_its_own_words(browser):
    browser.get(BEGIN)
    words = "error=access_denied&error_description=Call+555-1234"
    answer = browser.get(f"/sign-in/callback?{words}")
    assert answer.status_code == 403
    assert "access_denied" in answer.text
    assert "555" not in answer.text


def test_attempts_that_are_given_up_do_not_fill_the_cookie(browser, sign_in):
    for _ in range(10):
        answer = browser.get(BEGIN, query_string={"next": "/?q=" + "x" * 990})
        assert len(answer.headers["Set-Cookie"]) < 4000
    assert sign_in(browser, "bob").status_code == 303


def test_a_session_ends_even_if_the_cookie_is_made_anew(browser, sign_in):
    sign_in(browser, "bob")
    with browser.session_transaction() as session:
        before = session["principal"]["ends"]
    browser.get(BEGIN)
    with browser.session_transaction() as session:
        assert session["principal"]["ends"] == before
        session["principal"] = session["principal"] | {"ends": 1}
    assert browser.get("/api/v1/logs").status_code == 401


@pytest.mark.parametrize(
    "changes", [{"oidc_roles": "sre=admin"}, {"oidc_issuer": "https://other.example"}]
)
def test_a_change_of_the_settings_holds_for_sessions_from_before(
    make_app, browser, sign_in, changes
):
    sign_in(browser, "bob")
    later = make_app(**changes).test_client()
    later.set_cookie("sheaf_session", browser.get_cookie("sheaf_session").value)
    assert browser.get("/api/v1/logs").status_code == 200
    assert later.get("/api/v1/logs").status_code == 401


def test_a_key_in_the_header_is_not_kept_valid_by_a_session_beside_it(app, browser, sign_in):
    sign_in(browser, "bob")
    with app.app_context():
        resources = current_resources()
    token, key = resources.keys.create(Grant(("read",)), "tests")
    resources.access.refresh()
    with browser:
        headers = {"Authorization": f"Bearer {token}"}
        assert browser.get("/api/v1/logs", headers=headers).status_code == 200
        is_allowed = still_allowed()
        assert is_allowed()
        resources.keys.revoke(key)
        resources.access.refresh()
        assert not is_allowed()


def test_behind_a_proxy_its_address_is_given_to_the_provider(make_app, provider):
    browser = make_app(public_url=f"{PUBLIC}/").test_client()
    begun = browser.get(BEGIN, base_url="https://10.0.0.7")
    answer = urlsplit(provider.sign_in("cleo", begun.location))
    assert answer._replace(query="").geturl() == f"{PUBLIC}/sign-in/callback"
    assert "Secure" in begun.headers["Set-Cookie"]

    inner = {"base_url": "https://10.0.0.7", "headers": {"Origin": PUBLIC}}
    assert browser.get(f"{answer.path}?{answer.query}", base_url="https://10.0.0.7").location
    chosen = browser.post("/sign-in/workspace", data={"workspace_id": "shop"}, **inner)
    assert chosen.status_code == 303


def test_without_single_sign_on_there_is_no_button(make_app, browser):
    assert BEGIN in browser.get("/sign-in").text
    other = make_app(oidc_issuer="").test_client()
    assert BEGIN not in other.get("/sign-in").text
    assert other.get(BEGIN).status_code == 404
    assert other.get("/sign-in/callback").status_code == 404


def test_while_the_provider_is_away_the_page_says_so(make_app, free_port):
    browser = make_app(oidc_issuer=f"http://127.0.0.1:{free_port()}").test_client()
    answer = browser.get(BEGIN)
    assert answer.status_code == 503
    assert "cannot be reached" in answer.text
    assert 'name="key"' in answer.text


def test_an_issuer_with_another_name_is_refused_and_both_are_named(make_app, provider):
    issuer = provider.issuer.replace("127.0.0.1", "localhost")
    answer = make_app(oidc_issuer=issuer).test_client().get(BEGIN)
    assert answer.status_code == 403
    assert f"OIDC_ISSUER is {issuer}" in answer.text
    assert provider.issuer in answer.text
