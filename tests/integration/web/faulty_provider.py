"""A provider whose ID tokens are as wrong as a test wants; a real one makes none of these."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

ALGORITHMS = ["RS256", "HS256", "none"]
CLIENT_ID = "sheaf"
CLIENT_SECRET = "a secret of the client, which is long"


class FaultyProvider:
    """A provider on a port of loopback that signs in everybody as `ada`."""

    def __init__(self, port):
        self.issuer = f"http://127.0.0.1:{port}"
        self.key = RSAKey.generate_key(2048, {"kid": "1"})
        self.reset()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def reset(self):
        self.changes = {}
        self.sign = self.signed
        self.user_info = {"sub": "ada", "groups": ["sre"]}
        self.token_status = 200
        self.algorithms = ALGORITHMS

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def claims(self, nonce):
        now = int(time.time())
        right = {
            "iss": self.issuer,
            "sub": "ada",
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            "groups": ["sre"],
        }
        changed = {
            name: now + value if name in {"iat", "exp", "nbf"} and value is not None else value
            for name, value in self.changes.items()
        }
        return {name: value for name, value in (right | changed).items() if value is not None}

    def signed(self, claims):
        return jwt.encode({"alg": "RS256", "kid": "1"}, claims, self.key)

    def signed_by_another_key(self, claims):
        other = RSAKey.generate_key(2048, {"kid": "1"})
        return jwt.encode({"alg": "RS256", "kid": "1"}, claims, other)

    def signed_by_an_unknown_key(self, claims):
        other = RSAKey.generate_key(2048, {"kid": "2"})
        return jwt.encode({"alg": "RS256", "kid": "2"}, claims, other)

    def signed_with_the_secret(self, claims):
        key = OctKey.import_key(CLIENT_SECRET)
        return jwt.encode({"alg": "HS256", "kid": "1"}, claims, key, algorithms=["HS256"])

    def signed_with_the_public_key(self, claims):
        key = OctKey.import_key(self.key.as_pem(private=False).replace(b"-----", b"_"))
        return jwt.encode({"alg": "HS256", "kid": "1"}, claims, key, algorithms=["HS256"])

    def unsigned(self, claims):
        return f"{_encoded({'alg': 'none', 'kid': '1'})}.{_encoded(claims)}."

    def with_another_payload(self, claims):
        head, _, signature = self.signed(claims | {"groups": []}).split(".")
        return f"{head}.{self.signed(claims).split('.')[1]}.{signature}"

    def missing(self, _):
        return None

    def nonsense(self, _):
        return "a.b.c"

    def answer(self, address):
        """Follow an address as a browser; returns where it then leads."""
        asked = parse_qs(urlsplit(address).query)
        [redirect], [state], [self._nonce] = asked["redirect_uri"], asked["state"], asked["nonce"]
        return f"{redirect}?code=c&state={state}"

    def _answers(self):
        token = {"access_token": "a", "token_type": "Bearer", "expires_in": 60}
        return {
            "/.well-known/openid-configuration": lambda: {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "userinfo_endpoint": f"{self.issuer}/user",
                "jwks_uri": f"{self.issuer}/keys",
                "id_token_signing_alg_values_supported": self.algorithms,
            },
            "/keys": lambda: {"keys": [self.key.as_dict(private=False)]},
            "/user": lambda: self.user_info,
            "/token": lambda: token | {"id_token": self.sign(self.claims(self._nonce))},
        }

    def _handler(provider):  # noqa: N805 - `self` is the handler's
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                content = provider._answers()[self.path]()
                body = json.dumps({name: v for name, v in content.items() if v is not None})
                self.send_response(provider.token_status if self.path == "/token" else 200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(body.encode())

            do_POST = do_GET  # noqa: N815 - as the server calls it

            def log_message(self, *_):
                pass

        return Handler


def _encoded(content):
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()
