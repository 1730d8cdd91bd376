"""Keys: list, make, rotate and revoke them."""

from typing import Any

import marshmallow as ma
from flask import Response, abort
from marshmallow import fields, validate

from access.key import Key, now_ms
from access.principal import SCOPES, NotAllowedError
from access.store import Grant, KeyStore
from config.units import MS_PER_DAY
from web.common.tenancy import TenantArguments, WorkspaceArguments, client_of, named_workspace
from web.http.access import current_principal
from web.http.answers import about_request, answer
from web.http.arguments import Text, Texts, Whole, described, described_like
from web.http.audit import record
from web.http.blueprint import ApiBlueprint
from web.http.resources import current_resources
from web.http.schemas import Answer

MOST_DAYS = 3650
_DAY_SECONDS = 86_400
_NO_SUCH_KEY = {404: "There is no such key, or it belongs to another workspace"}


class NewKeyArguments(TenantArguments):
    """What a new key may do."""

    name = Text(
        load_default="",
        validate=validate.Length(0, 200),
        metadata=described_like("What people call it.", "checkout, production"),
    )
    scopes = Texts(
        Text(validate=validate.OneOf(SCOPES)),
        required=True,
        validate=validate.Length(1, len(SCOPES)),
        metadata=described(
            "`ingest`: send records. `read`: query them. `admin`: both, and change or delete "
            "things."
        ),
    )
    expires_in_days = Whole(
        1, MOST_DAYS, metadata=described("Days for which it is valid. Default: no end.")
    )


class RotateArguments(WorkspaceArguments):
    """For how long the old key stays valid."""

    overlap_seconds = Whole(
        0,
        30 * _DAY_SECONDS,
        load_default=_DAY_SECONDS,
        metadata=described("Seconds for which the old key stays valid."),
    )


class KeySchema(ma.Schema):
    """A key, without the key itself."""

    id = fields.String(
        required=True, metadata=described_like("Also the key's visible part.", "9f86d081884c")
    )
    name = fields.String(required=True)
    scopes = fields.List(fields.String(), required=True)
    workspace_id = fields.String(required=True, metadata=described("Empty: all workspaces."))
    client_id = fields.String(required=True, metadata=described("Empty: all clients."))
    state = fields.String(required=True, metadata={"enum": ["valid", "expired", "revoked"]})
    created_ms = fields.Integer(required=True)
    created_by = fields.String(required=True)
    expires_ms = fields.Integer(required=True, allow_none=True)
    revoked_ms = fields.Integer(required=True, allow_none=True)


class KeysAnswer(Answer):
    """Keys, the newest first."""

    keys = fields.List(fields.Nested(KeySchema), required=True)


class KeyAnswer(Answer):
    """One key."""

    key = fields.Nested(KeySchema, required=True)


class NewKeyAnswer(KeyAnswer):
    """A new key."""

    token = fields.String(
        required=True, metadata=described("The key itself. It is not shown again.")
    )


def keys_blueprint() -> ApiBlueprint:
    """The routes below `/keys`."""
    blueprint = ApiBlueprint("keys", __name__, description="Keys")

    @blueprint.endpoint("", KeysAnswer, takes=WorkspaceArguments, cost="none", scope="admin")
    def all_keys(arguments: dict[str, Any]) -> Response:
        """The keys that the caller may manage: of its workspace, or all."""
        named = named_workspace(arguments)
        found = [key for key in _store().all().values() if named in {"", key.workspace_id}]
        found.sort(key=lambda key: -key.created_ms)
        return answer({"keys": [_view(key) for key in found], **about_request()})

    @blueprint.endpoint(
        "", NewKeyAnswer, takes=NewKeyArguments, method="POST", status=201, cost="none"
    )
    def create(arguments: dict[str, Any]) -> Response:
        """Make a key. Its text is in `token`, once."""
        token, key = _store().create(_grant(arguments), current_principal().id)
        return _new(token, key)

    @blueprint.endpoint(
        "/<key_id>/rotate",
        NewKeyAnswer,
        takes=RotateArguments,
        method="POST",
        status=201,
        otherwise={**_NO_SUCH_KEY, 409: "The key is revoked or has expired"},
        cost="none",
        audited=False,  # by itself: the workspace is the key's
    )
    def rotate(arguments: dict[str, Any], key_id: str) -> Response:
        """Make a successor with the same rights; the old key is valid for a while.

        A key that expires gets a successor that is valid for as many days.
        """
        key = _found(arguments, key_id)
        if not key.valid_at(now_ms()):
            abort(409, f"The key is {key.state_at(now_ms())}: make a new one.")
        overlap = arguments["overlap_seconds"]
        record("keys.rotate", key.workspace_id, {"key_id": key.id, "overlap_seconds": overlap})
        made = _store().rotate(key, overlap, current_principal().id)
        return _new(*made)

    @blueprint.endpoint(
        "/<key_id>",
        KeyAnswer,
        takes=WorkspaceArguments,
        method="DELETE",
        otherwise=_NO_SUCH_KEY,
        cost="none",
        audited=False,  # as above
    )
    def revoke(arguments: dict[str, Any], key_id: str) -> Response:
        """Revoke a key: within five seconds, no process takes it any more."""
        key = _found(arguments, key_id)
        record("keys.revoke", key.workspace_id, {"key_id": key.id})
        return answer({"key": _view(_store().revoke(key)), **about_request()})

    return blueprint


def _grant(arguments: dict[str, Any]) -> Grant:
    workspace_id, client_id = named_workspace(arguments), client_of(arguments)
    if client_id and not workspace_id:
        text = "A key that is bound to a client needs a workspace_id."
        raise NotAllowedError(text, "workspace_id")
    days = arguments.get("expires_in_days", 0)
    return Grant(
        tuple(dict.fromkeys(arguments["scopes"])),
        arguments["name"],
        workspace_id,
        client_id,
        now_ms() + days * MS_PER_DAY if days else 0,
    )


def _found(arguments: dict[str, Any], key_id: str) -> Key:
    """The key, if it is of the workspace named, or of any; else the request is answered 404."""
    key = _store().find(key_id)
    if key is None or named_workspace(arguments) not in {"", key.workspace_id}:
        abort(404, "There is no key with this id.")
    return key


def _new(token: str, key: Key) -> Response:
    made = answer({"token": token, "key": _view(key), **about_request()}, 201)
    made.headers["Cache-Control"] = "no-store"
    return made


def _view(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": list(key.scopes),
        "workspace_id": key.workspace_id,
        "client_id": key.client_id,
        "state": key.state_at(now_ms()),
        "created_ms": key.created_ms,
        "created_by": key.created_by,
        "expires_ms": key.expires_ms or None,
        "revoked_ms": key.revoked_ms or None,
    }


def _store() -> KeyStore:
    return current_resources().keys
