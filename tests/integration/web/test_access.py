"""Every route of the API refuses who may not use it."""

import base64
import re

import pytest

from access.key import now_ms
from access.store import Grant
from web.app import create_app
from web.http.access import OPEN
from web.http.resources import current_resources
from web.pages.files import current_version

pytestmark = pytest.mark.integration

WEBSOCKET = {"Connection": "Upgrade", "Upgrade": "websocket"}
FOR_ALL_WORKSPACES = {("/metrics", "GET"), ("/api/v1/limits", "PUT")}
OWN_PAGE = {"Origin": "http://localhost"}


@pytest.fixture(scope="module")
def settings(migrated, shared_valkey, tmp_path_factory):
    return migrated.model_copy(
        update={
            "redis_url": shared_valkey.url,
            "auth": "keys",
            "secret_key": "s" * 32,
            "data_dir": tmp_path_factory.mktemp("access"),
        }
    )


@pytest.fixture(scope="module")
def build(settings):
    """Make an app with these settings changed."""
    made = []

    def make(**changes):
        made.append(create_app(settings.model_copy(update=changes)))
        return made[-1]

    yield make
    for each in made:
        with each.app_context():
            resources = current_resources()
        resources.access.stop()
        resources.clickhouse.close()
        resources.ledger.close()


@pytest.fixture(scope="module")
def app(build):
    return build()


@pytest.fixture(scope="module")
def keys(app):
    """Keys by what they may do."""
    with app.app_context():
        resources = current_resources()
    store = resources.keys
    grants = {
        "ingest": Grant(("ingest",)),
        "read": Grant(("read",)),
        "admin": Grant(("admin",)),
        "admin of acme": Grant(("admin",), workspace_id="acme"),
        "read of acme's web": Grant(("read",), workspace_id="acme", client_id="web"),
        "expired": Grant(("admin",), expires_ms=now_ms() - 1),
        "revoked": Grant(("admin",)),
    }
    made = {name: store.create(grant, "tests") for name, grant in grants.items()}
    store.revoke(made["revoked"][1])
    resources.access.refresh()
    return {name: token for name, (token, _) in made.items()}


@pytest.fixture(scope="module")
def ask(app):
    """Send a request to a route, with a key if one is given; returns the answer."""

    def send(route, key="", **headers):
        rule, method = route
        path = re.sub(r"<(?:\w+:)?(\w+)>", "1", rule.rule)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if key:
            named["Authorization"] = f"Bearer {key}"
        if rule.websocket:
            named |= WEBSOCKET
        body = {"json": {}} if method in {"POST", "PUT"} else {}
        return app.test_client().open(path, method=method, headers=named, **body)

    return send


@pytest.fixture(scope="module")
def routes(app):
    """Every rule and method of the app that is not open to everyone."""
    found = [
        (rule, method)
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or {"GET"}) - {"HEAD", "OPTIONS"})
        if rule.endpoint not in OPEN
    ]
    assert len(found) > 40
    return found


def is_page(route):
    rule, _ = route
    return rule.endpoint.startswith("page.")


def scope_of(app, route):
    rule, method = route
    scope = getattr(app.view_functions[rule.endpoint], "scope", None)
    return scope or ("read" if method == "GET" else "admin")


@pytest.mark.parametrize("kind", ["no key", "garbage", "expired", "revoked"])
def test_every_route_refuses_who_has_no_valid_key(routes, ask, keys, kind):
    key = {"no key": "", "garbage": "sheaf_abc_def"}.get(kind) or keys.get(kind, "")
    for route in routes:
        answer = ask(route, key)
        if is_page(route):
            assert (answer.status_code, answer.location.partition("?")[0]) == (303, "/sign-in")
        else:
            assert answer.status_code == 401, (route, answer.text)
            assert "Bearer" in answer.headers["WWW-Authenticate"]
            assert answer.get_json()["error"]["fields"]["Authorization"]


def test_every_route_refuses_a_key_with_another_scope(app, routes, ask, keys):
    for route in routes:
        needed = scope_of(app, route)
        others = {"read": ["ingest"], "ingest": ["read"], "admin": ["ingest", "read"]}
        for other in others[needed]:
            answer = ask(route, keys[other])
            assert answer.status_code == 403, (route, other, answer.text)
            assert "needs the scope" in answer.get_json()["error"]["reason"]


@pytest.mark.parametrize("named", ["header", "parameter"])
def test_every_route_refuses_a_key_of_another_workspace(app, routes, keys, ask, named):
    for route in routes:
        rule, method = route
        if named == "header":
            answer = ask(route, keys["admin of acme"], X_Workspace_Id="other")
        else:
            path = re.sub(r"<(?:\w+:)?(\w+)>", "1", rule.rule) + "?workspace_id=other"
            headers = {"Authorization": f"Bearer {keys['admin of acme']}"}
            headers |= WEBSOCKET if rule.websocket else {}
            answer = app.test_client().open(path, method=method, headers=headers)
        assert answer.status_code == 403, (route, answer.text)


def test_every_route_refuses_a_key_of_one_client_for_another(app, routes, keys):
    for rule, method in routes:
        path = re.sub(r"<(?:\w+:)?(\w+)>", "1", rule.rule) + "?client_id=other"
        headers = {"Authorization": f"Bearer {keys['read of acme' + chr(39) + 's web']}"}
        headers |= WEBSOCKET if rule.websocket else {}
        answer = app.test_client().open(path, method=method, headers=headers)
        assert answer.status_code == 403, (rule, answer.text)


def test_what_concerns_all_workspaces_needs_a_key_for_all(routes, ask, keys):
    for route in routes:
        rule, method = route
        answer = ask(route, keys["admin of acme"])
        if (rule.rule, method) in FOR_ALL_WORKSPACES:
            assert answer.status_code == 403
            assert "all workspaces" in answer.get_json()["error"]["reason"]
        else:
            assert answer.status_code != 403, (route, answer.text)


def test_a_valid_key_of_the_right_scope_is_refused_nothing(routes, ask, keys):
    for route in routes:
        # A socket needs a connection of its own, which the test's client does not have.
        refusals = {401, 403} if route[0].websocket else {401, 403, 500}
        with ask(route, keys["admin"]) as answer:
            assert answer.status_code not in refusals, (route, answer.status)


def test_open_routes_answer_without_a_key(app):
    for endpoint in OPEN:
        assert any(rule.endpoint == endpoint for rule in app.url_map.iter_rules())
    client = app.test_client()
    for path in ("/health", "/sign-in", f"/static/{current_version()}/sheaf.css"):
        with client.get(path) as answer:
            assert answer.status_code == 200


def test_a_key_of_one_client_is_refused_what_cannot_be_limited_to_it(app, keys):
    key = keys["read of acme's web"]
    headers = {"Authorization": f"Bearer {key}"}
    client = app.test_client()
    assert client.get("/api/v1/logs", headers=headers).status_code == 200
    answer = client.get("/api/v1/jobs", headers=headers)
    assert answer.status_code == 403
    assert "bound to web" in answer.get_json()["error"]["reason"]
    assert client.get("/api/v1/dead-letters/1/otlp", headers=headers).status_code == 403
    assert client.get("/openapi.json", headers=headers).status_code == 200


# Sessions.


@pytest.fixture
def signed_in(app, keys):
    """Sign in with a key; returns the browser."""

    def sign_in(name):
        browser = app.test_client()
        answer = browser.post(
            "/sign-in", data={"key": keys[name]}, headers={"Origin": "http://localhost"}
        )
        assert answer.status_code == 303
        return browser

    return sign_in


def test_a_session_is_its_key_and_its_cookie_is_safe(app, keys):
    browser = app.test_client()
    origin = {"Origin": "http://localhost"}
    answer = browser.post("/sign-in", data={"key": keys["read"], "next": "/traces"}, headers=origin)
    assert (answer.status_code, answer.location) == (303, "/traces")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert keys["read"] not in cookie
    assert browser.get("/api/v1/logs").status_code == 200
    assert browser.get("/").status_code == 200
    assert browser.delete("/api/v1/keys/1", headers=origin).status_code == 403


def test_another_page_cannot_sign_out(signed_in):
    browser = signed_in("read")
    assert browser.post("/sign-out", headers={"Origin": "https://evil.example"}).status_code == 303
    assert browser.get("/api/v1/logs").status_code == 200


def test_a_page_on_plain_http_is_another_page_than_one_on_tls(signed_in):
    browser = signed_in("admin")
    answers = [
        browser.delete(
            "/api/v1/keys/1", headers={"Origin": origin}, base_url="https://localhost"
        ).status_code
        for origin in ("http://localhost", "https://localhost")
    ]
    # The cookie was set without TLS, which the second request has: both are of this browser.
    assert answers == [403, 404]


def test_a_wrong_key_does_not_sign_in(app, keys):
    browser = app.test_client()
    for key in ("", "sheaf_x", keys["revoked"], keys["expired"]):
        origin = {"Origin": "http://localhost"}
        answer = browser.post("/sign-in", data={"key": key}, headers=origin)
        assert answer.status_code == 401
        assert browser.get("/").status_code == 303


@pytest.mark.parametrize(
    "place",
    [
        *("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"),
        *("///evil.example", "////evil.example", "/\t/evil.example", "\t//evil.example"),
        *("/x\\..\\\\evil.example", "evil.example", "", " /traces", "/tr\r\naces"),
    ],
)
def test_signing_in_leads_nowhere_else(app, keys, place):
    origin = {"Origin": "http://localhost"}
    data = {"key": keys["read"], "next": place}
    assert app.test_client().post("/sign-in", data=data, headers=origin).location == "/"


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_another_page_can_neither_sign_in_nor_change_anything(app, keys, signed_in, headers):
    answer = app.test_client().post("/sign-in", data={"key": keys["admin"]}, headers=headers)
    assert answer.status_code == 403
    answer = signed_in("admin").delete("/api/v1/keys/1", headers=headers)
    assert answer.status_code == 403
    assert answer.get_json()["error"]["fields"]["Origin"]


def test_signing_out_ends_the_session(signed_in):
    browser = signed_in("read")
    assert browser.post("/sign-out", headers=OWN_PAGE).status_code == 303
    assert browser.get("/api/v1/logs").status_code == 401


def test_a_revoked_key_ends_its_sessions(app):
    with app.app_context():
        resources = current_resources()
    token, key = resources.keys.create(Grant(("read",)), "tests")
    resources.access.refresh()
    browser = app.test_client()
    origin = {"Origin": "http://localhost"}
    assert browser.post("/sign-in", data={"key": token}, headers=origin).status_code == 303
    assert browser.get("/api/v1/logs").status_code == 200

    resources.keys.revoke(key)
    resources.access.refresh()
    assert browser.get("/api/v1/logs").status_code == 401


# Keys over REST.


def test_keys_are_made_listed_rotated_and_revoked(app, keys):
    client = app.test_client()
    headers = {"Authorization": f"Bearer {keys['admin']}"}
    asked = {"scopes": ["ingest"], "name": "n", "workspace_id": "acme", "expires_in_days": 1}
    made = client.post("/api/v1/keys", json=asked, headers=headers)
    assert made.status_code == 201
    assert made.headers["Cache-Control"] == "no-store"
    key = made.get_json()["key"]
    assert (key["scopes"], key["workspace_id"], key["state"]) == (["ingest"], "acme", "valid")
    assert key["expires_ms"] - key["created_ms"] == 86_400_000

    listed = client.get("/api/v1/keys", headers=headers)
    assert key in listed.get_json()["keys"]
    assert "sheaf_" not in listed.text

    rotated = client.post(f"/api/v1/keys/{key['id']}/rotate", headers=headers)
    assert rotated.get_json()["key"]["scopes"] == ["ingest"]
    revoked = client.delete(f"/api/v1/keys/{key['id']}", headers=headers).get_json()
    assert revoked["key"]["state"] == "revoked"
    assert client.delete("/api/v1/keys/none", headers=headers).status_code == 404


def test_an_admin_of_one_workspace_manages_its_keys_only(app, keys):
    client = app.test_client()
    everywhere = {"Authorization": f"Bearer {keys['admin']}"}
    of_acme = {"Authorization": f"Bearer {keys['admin of acme']}"}
    asked = {"scopes": ["read"], "workspace_id": "other"}
    other = client.post("/api/v1/keys", json=asked, headers=everywhere).get_json()["key"]

    assert client.post("/api/v1/keys", json=asked, headers=of_acme).status_code == 403
    made = client.post("/api/v1/keys", json={"scopes": ["read"]}, headers=of_acme).get_json()
    assert made["key"]["workspace_id"] == "acme"
    listed = client.get("/api/v1/keys", headers=of_acme).get_json()["keys"]
    assert {key["workspace_id"] for key in listed} == {"acme"}
    for path, method in ((f"/{other['id']}", "DELETE"), (f"/{other['id']}/rotate", "POST")):
        answer = client.open(f"/api/v1/keys{path}", method=method, headers=of_acme)
        assert answer.status_code == 404


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "scopes"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["root"]}, "scopes"),
        ({"scopes": ["read"], "expires_in_days": 0}, "expires_in_days"),
        ({"scopes": ["read"], "workspace_id": "a b"}, "workspace_id"),
        ({"scopes": ["read"], "scope": "x"}, "scope"),
    ],
)
def test_a_wrong_argument_of_a_key_is_named(app, keys, asked, field):
    headers = {"Authorization": f"Bearer {keys['admin']}"}
    answer = app.test_client().post("/api/v1/keys", json=asked, headers=headers)
    assert answer.status_code == 422
    assert field in answer.get_json()["error"]["fields"]


def test_a_header_that_names_a_workspace_binds_a_new_key_to_it(app, keys):
    client = app.test_client()
    headers = {"Authorization": f"Bearer {keys['admin']}", "X-Workspace-Id": "acme"}
    made = client.post("/api/v1/keys", json={"scopes": ["read"]}, headers=headers).get_json()
    assert made["key"]["workspace_id"] == "acme"
    listed = client.get("/api/v1/keys", headers=headers).get_json()["keys"]
    assert {key["workspace_id"] for key in listed} == {"acme"}
    other = headers | {"X-Workspace-Id": "other"}
    path = f"/api/v1/keys/{made['key']['id']}"
    assert client.delete(path, headers=other).status_code == 404
    assert client.post(f"{path}/rotate", headers=other).status_code == 404


def test_the_successor_of_a_key_that_expires_also_expires(app, keys):
    client = app.test_client()
    headers = {"Authorization": f"Bearer {keys['admin']}"}
    asked = {"scopes": ["read"], "expires_in_days": 2}
    old = client.post("/api/v1/keys", json=asked, headers=headers).get_json()["key"]
    new = client.post(f"/api/v1/keys/{old['id']}/rotate", headers=headers).get_json()["key"]
    assert abs(new["expires_ms"] - new["created_ms"] - 2 * 86_400_000) < 1000


@pytest.mark.parametrize("state", ["revoked", "expired"])
def test_a_key_that_is_not_valid_has_no_successor(app, keys, state):
    with app.app_context():
        store = current_resources().keys
    [found] = [key for key in store.all().values() if f"_{key.id}_" in keys[state]]
    headers = {"Authorization": f"Bearer {keys['admin']}"}
    answer = app.test_client().post(f"/api/v1/keys/{found.id}/rotate", headers=headers)
    assert answer.status_code == 409
    assert state in answer.get_json()["error"]["reason"]


def test_an_admin_makes_no_key_with_more_than_its_own(app):
    """Neither another workspace, nor another client, nor all of them."""
    with app.app_context():
        resources = current_resources()
    token, own = resources.keys.create(
        Grant(("admin",), workspace_id="acme", client_id="web"), "tests"
    )
    resources.access.refresh()
    client, headers = app.test_client(), {"Authorization": f"Bearer {token}"}
    made = client.post("/api/v1/keys", json={"scopes": ["admin"]}, headers=headers)
    key = made.get_json()["key"]
    assert (key["workspace_id"], key["client_id"]) == (own.workspace_id, own.client_id)
    for more in ({"client_id": "other"}, {"workspace_id": "other"}):
        asked = {"scopes": ["admin"], **more}
        assert client.post("/api/v1/keys", json=asked, headers=headers).status_code == 403
    for rotated in (client.post(f"/api/v1/keys/{own.id}/rotate", headers=headers),):
        assert rotated.status_code == 403


def test_a_key_of_one_client_deletes_all_only_if_it_says_so(app):
    with app.app_context():
        resources = current_resources()
    grant = Grant(("admin",), workspace_id="acme", client_id="web")
    headers = {"Authorization": f"Bearer {resources.keys.create(grant, 'tests')[0]}"}
    resources.access.refresh()
    client = app.test_client()
    answer = client.delete("/api/v1/logs", json={}, headers=headers)
    assert answer.status_code == 422
    assert answer.get_json()["error"]["fields"]["all"]
    for body in ({"all": True}, {"client_id": "web"}):
        job = client.delete("/api/v1/logs", json=body, headers=headers).get_json()["job"]
        with app.app_context():
            [order] = [
                each.order for each in [resources.jobs.one("acme", job["id"])] if each is not None
            ]
        assert order.arguments["filters"]["client_id"] == "web"


# Who asks for what without a key in its own hands.


def test_options_and_head_get_no_more_than_get(routes, ask):
    for rule, method in routes:
        for other in ("OPTIONS", "HEAD"):
            answer = ask((rule, other))
            assert answer.status_code < 500, (rule, other)
            assert not answer.data
            if other == "HEAD" and method == "GET" and not is_page((rule, method)):
                assert answer.status_code == 401, rule


def test_neither_slashes_nor_an_override_of_the_method_open_a_route(app, routes):
    client = app.test_client()
    for rule, method in routes:
        if rule.websocket or is_page((rule, method)):
            continue
        path = re.sub(r"<(?:\w+:)?(\w+)>", "1", rule.rule)
        for other in (f"{path}/", f"/{path}", path.replace("/", "//"), f"/static/..{path}"):
            # The client itself takes two slashes for the start of a host.
            answer = client.open("/", method=method, environ_overrides={"PATH_INFO": other})
            assert answer.status_code in {401, 404, 405}, (other, method)
        headers = {"X-HTTP-Method-Override": "GET", "X-Original-URL": "/health"}
        assert client.open(path, method=method, headers=headers).status_code == 401
        assert client.open(f"{path}?_method=GET", method=method).status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        *("/docs/../pyproject.md", "/docs/%2e%2e/README.md", "/docs/..%2f..%2fREADME.md"),
        *("/docs//etc/passwd.md", "/docs/....//README.md", "/docs/../README.md"),
        *("/static/1/../../page.py", "/static/1/%2e%2e/page.py", "/static/../page.py"),
        *("/static/1/..%2f..%2faccess/keys.py", "/static/1//etc/passwd"),
    ],
)
def test_files_outside_of_their_folders_are_not_served(app, keys, path):
    headers = {"Authorization": f"Bearer {keys['admin']}"}
    with app.test_client().get(path, headers=headers) as answer:
        assert answer.status_code == 404


def test_what_a_browser_sends_by_itself_changes_nothing_for_another_page(app, keys, build):
    """A remembered password, or nothing where everyone may do everything."""
    basic = "Basic " + base64.b64encode(f":{keys['admin']}".encode()).decode()
    opened = build(auth="off")
    tried = [(app.test_client(), {"Authorization": basic}), (opened.test_client(), {})]
    expected = {"https://evil.example": 403, "null": 403, "http://localhost": 404}
    for client, headers in tried:
        for origin, status in expected.items():
            named = headers | {"Origin": origin}
            answer = client.delete("/api/v1/keys/1", headers=named)
            assert answer.status_code == status, (origin, answer.text)
        assert client.delete("/api/v1/keys/1", headers=headers).status_code == 404
        named = headers | WEBSOCKET | {"Origin": "https://evil.example"}
        assert client.get("/ws/live", headers=named).status_code == 403


def test_an_origin_of_cors_origins_may_change_things(build):
    client = build(cors_origins="https://console.example", auth="off").test_client()
    for origin, status in (("https://console.example", 404), ("https://evil.example", 403)):
        answer = client.delete("/api/v1/keys/1", headers={"Origin": origin})
        assert answer.status_code == status


def test_a_dialog_for_a_password_never_opens_over_the_page(app):
    client = app.test_client()
    asked = [
        client.get("/api/v1/logs", headers=headers).headers["WWW-Authenticate"]
        for headers in ({}, {"Sec-Fetch-Mode": "cors"}, {"Referer": "http://localhost/"})
    ]
    assert ["Basic" in each for each in asked] == [True, False, False]


def test_with_tls_browsers_are_told_to_come_back_with_tls_only(app, build):
    secured = build(tls_cert="cert.pem", tls_key="key.pem")
    plain, strict = (
        each.test_client().get("/health").headers.get("Strict-Transport-Security", "")
        for each in (app, secured)
    )
    assert (plain, strict) == ("", "max-age=31536000")
