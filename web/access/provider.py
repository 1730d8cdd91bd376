"""The OpenID Connect provider, as its metadata describes it."""

from typing import Any

from authlib.integrations.flask_client import FlaskOAuth2App, OAuth, OAuthError

_SIGNATURES = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""Signatures by a key that only the provider has. Providers may also list `none`."""


class _Provider(FlaskOAuth2App):  # type: ignore[misc] # Authlib ships no types
    def load_server_metadata(self) -> dict[str, Any]:
        """The provider's metadata: of the issuer that is set, with safe signatures only."""
        known: dict[str, Any] = super().load_server_metadata()
        issuer = self.client_kwargs["issuer"]
        if known.get("issuer") != issuer:
            known.pop("_loaded_at", None)
            text = f"OIDC_ISSUER is {issuer}, but the provider calls itself {known.get('issuer')}"
            raise OAuthError("wrong_issuer", text)
        listed = known.get("id_token_signing_alg_values_supported", ["RS256"])
        safe = [name for name in listed if name in _SIGNATURES]
        if not safe:
            known.pop("_loaded_at", None)
            text = f"the provider signs with {', '.join(listed)}, not with a key of its own"
            raise OAuthError("wrong_signature", text)
        known["id_token_signing_alg_values_supported"] = safe
        return known


class Providers(OAuth):  # type: ignore[misc] # Authlib ships no types
    """Authlib's registry, with a provider of this kind."""

    oauth2_client_cls = _Provider
