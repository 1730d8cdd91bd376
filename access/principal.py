"""Who sends a request, and what that principal may do."""

from dataclasses import dataclass

from config.roles import SCOPES, Scope


class AccessError(Exception):
    """A request may not do what it asks for; the text is a sentence for its sender."""

    def __init__(self, text: str, field: str = "") -> None:
        """Refuse; `field` is what of the request is wrong."""
        super().__init__(text)
        self.text = text
        self.field = field


class NotAuthenticatedError(AccessError):
    """The request has no key, or one that is not valid."""


class NotAllowedError(AccessError):
    """The key is valid, but not for this."""


class KeysUnavailableError(AccessError):
    """The keys cannot be read now, so this one cannot be checked."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who sends a request.

    Attributes:
        id: id of the key, or of the session.
        name: what people call it.
        scopes: what it may do.
        workspace_id: the workspace it is bound to; empty: all.
        client_id: the client it is bound to, in that workspace; empty: all.
    """

    id: str
    name: str
    scopes: frozenset[Scope]
    workspace_id: str = ""
    client_id: str = ""

    def check(self, scope: Scope) -> None:
        """Require a scope.

        Raises:
            NotAllowedError: the principal does not have it.
        """
        if scope not in self.scopes and "admin" not in self.scopes:
            held = " and ".join(sorted(self.scopes))
            raise NotAllowedError(f"This needs the scope {scope}; you have {held}.")

    def check_everywhere(self) -> None:
        """Require a principal that is bound to no workspace.

        Raises:
            NotAllowedError: it is bound to one.
        """
        if self.workspace_id:
            text = f"This concerns all workspaces; you are bound to {self.workspace_id}."
            raise NotAllowedError(text)

    def workspace(self, named: str, field: str) -> str:
        """The workspace of a request that names one, or none (empty).

        Returns:
            The one named, else the one the principal is bound to, else empty.

        Raises:
            NotAllowedError: the principal is bound to another; the error names `field`.
        """
        return _within("workspace", named, self.workspace_id, field)

    def client(self, named: str, field: str) -> str:
        """As :meth:`workspace`, for the client."""
        return _within("client", named, self.client_id, field)


ANYONE = Principal("", "anyone", frozenset({"admin"}))
"""The sender of every request where `AUTH=off`."""


def _within(kind: str, named: str, bound: str, field: str) -> str:
    if bound and named and named != bound:
        text = f"{field} is {named}, but you are bound to the {kind} {bound}"
        raise NotAllowedError(text, field)
    return named or bound


__all__ = [
    "ANYONE",
    "SCOPES",
    "AccessError",
    "KeysUnavailableError",
    "NotAllowedError",
    "NotAuthenticatedError",
    "Principal",
    "Scope",
]
