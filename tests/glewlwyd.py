"""A real OpenID Connect provider to sign in at: Glewlwyd, with SQLite."""

import gzip
import shutil
import sqlite3
import subprocess
from pathlib import Path

import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

PASSWORD = "correct horse battery staple"
CLIENT_ID = "sheaf"
CLIENT_SECRET = "a secret of the client"

_PAGES = Path("/usr/share/glewlwyd/webapp")
_PAGES_CONFIGURATION = Path("/usr/share/glewlwyd/templates/config.json")
_SCHEMA = Path("/usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz")
_ADMIN = {"username": "admin", "password": "password"}

_CONFIGURATION = """
port={port}
bind_address="127.0.0.1"
external_url="http://127.0.0.1:{port}"
login_url="login.html"
api_prefix="api"
static_files_path="{pages}"
log_mode="console"
log_level="WARNING"
cookie_domain="127.0.0.1"
cookie_secure=0
session_key="GLEWLWYD"
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="/usr/lib/glewlwyd/user"
client_module_path="/usr/lib/glewlwyd/client"
user_auth_scheme_module_path="/usr/lib/glewlwyd/scheme"
plugin_module_path="/usr/lib/glewlwyd/plugin"
hash_algorithm="SHA256"
database = {{ type = "sqlite3" path = "{database}" }};
static_files_mime_types = (
  {{ extension = ".html" mime_type = "text/html" }},
  {{ extension = ".css" mime_type = "text/css" }},
  {{ extension = ".js" mime_type = "application/javascript" }},
  {{ extension = ".json" mime_type = "application/json" }}
)
"""

_PROTOCOL = {
    "jwt-type": "rsa",
    "jwt-key-size": "256",
    "access-token-duration": 3600,
    "refresh-token-duration": 3600,
    "code-duration": 60,
    "auth-type-code-enabled": True,
    "auth-type-code-revoke-replayed": True,
    "allow-non-oidc": False,
    "jwks-show": True,
    "subject-type": "public",
    "name-claim": "mandatory",
    "allowed-scope": ["openid"],
    "pkce-allowed": True,
    "pkce-required": True,
    "claims": [{"name": "groups", "user-property": "groups", "type": "string", "mandatory": True}],
}


class Glewlwyd:
    """A running provider at `issuer`; its users have the password `PASSWORD`."""

    def __init__(self, program, folder, port):
        self.address = f"http://127.0.0.1:{port}"
        self.issuer = f"{self.address}/api/oidc"
        self._log = folder / "output.txt"
        database = folder / "glewlwyd.db"
        made = sqlite3.connect(database)
        made.executescript(gzip.decompress(_SCHEMA.read_bytes()).decode())
        made.close()
        file = folder / "glewlwyd.conf"
        pages = _pages(folder)
        file.write_text(_CONFIGURATION.format(port=port, database=database, pages=pages))
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [program, "--config-file", file],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def answers(self):
        assert self.process.poll() is None, self._log.read_text()
        try:
            return requests.get(f"{self.address}/config", timeout=5).ok
        except requests.ConnectionError:
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait(30)

    def configure(self, redirect_uris, users):
        """Register Sheaf, and users with their groups."""
        with requests.Session() as admin:
            self._send(admin, "POST", "/auth/", _ADMIN)
            store = self._send(admin, "GET", "/mod/user/database").json()
            groups = {"multiple": True, "read": True, "write": True}
            store["parameters"]["data-format"]["groups"] = groups
            self._send(admin, "PUT", "/mod/user/database", store)
            self._send(admin, "PUT", "/mod/user/database/reset")
            self._send(admin, "POST", "/mod/plugin/", self._protocol())
            self._send(admin, "POST", "/client/", _client(redirect_uris))
            for name, groups in users.items():
                self._send(admin, "POST", "/user/", _user(name, groups))

    def sign_in(self, name, address):
        """Follow an address of the provider as a user's browser; returns where it then leads."""
        with requests.Session() as browser:
            login = {"username": name, "password": PASSWORD}
            self._send(browser, "POST", "/auth/", login)
            self._send(browser, "PUT", f"/auth/grant/{CLIENT_ID}", {"scope": "openid"})
            # What its page adds when the user is known and has agreed.
            answer = browser.get(f"{address}&g_continue", allow_redirects=False, timeout=10)
            assert answer.status_code == 302, answer.text
            return answer.headers["Location"]

    def _send(self, browser, method, path, content=None):
        answer = browser.request(method, f"{self.address}/api{path}", json=content, timeout=10)
        assert answer.ok, (method, path, answer.status_code, answer.text)
        return answer

    def _protocol(self):
        private, public = _key_pair()
        parameters = _PROTOCOL | {"iss": self.issuer, "key": private, "cert": public}
        return {
            "module": "oidc",
            "name": "oidc",
            "display_name": "OpenID Connect",
            "parameters": parameters,
        }


def _pages(folder):
    """The provider's pages with their configuration, which Debian installs at a wrong place."""
    made = folder / "pages"
    ignored = shutil.ignore_patterns("config.json")
    shutil.copytree(_PAGES, made, ignore=ignored)
    shutil.copy(_PAGES_CONFIGURATION, made / "config.json")
    return made


def _client(redirect_uris):
    return {
        "client_id": CLIENT_ID,
        "name": "Sheaf",
        "confidential": True,
        "password": CLIENT_SECRET,
        "client_secret": CLIENT_SECRET,
        "scope": [],
        "redirect_uri": redirect_uris,
        "authorization_type": ["code"],
        "token_endpoint_auth_method": ["client_secret_basic"],
    }


def _user(name, groups):
    return {
        "username": name,
        "name": name.title(),
        "password": PASSWORD,
        "scope": ["g_profile", "openid"],
        "groups": groups,
    }


def _key_pair():
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = made.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = made.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()
