"""Reading and changing what is saved, the same for searches and dashboards."""

from collections.abc import Mapping
from typing import Any, NoReturn

from flask import abort, request

from ledger.saved import (
    MOST,
    MOST_BYTES,
    ChangedError,
    Saved,
    SavedBook,
    SavedKind,
    TooLargeError,
    TooManyError,
)
from web.common.tenancy import Arguments, workspace_of
from web.http.access import current_principal
from web.http.errors import WrongParameterError
from web.http.resources import current_resources

_CALLED = {"saved-searches": "saved search", "dashboards": "dashboard"}


def book_of(kind: SavedKind, arguments: Arguments) -> SavedBook:
    """What is saved in the workspace of a request."""
    resources = current_resources()
    workspace_id = workspace_of(arguments)
    return SavedBook(kind, workspace_id, resources.ledger.broker, resources.clickhouse)


def found(kind: SavedKind, arguments: Arguments, saved_id: str) -> Saved:
    """One of them, else 404."""
    saved = book_of(kind, arguments).get(saved_id)
    if saved is None:
        text = f"Workspace {workspace_of(arguments)} has no {_CALLED[kind]} {saved_id[:64]}."
        abort(404, text)
    return saved


def create(kind: SavedKind, arguments: Arguments, content: dict[str, Any]) -> Saved:
    """Save something new.

    Raises:
        WrongParameterError: it is too large, or there are too many.
    """
    try:
        return book_of(kind, arguments).create(content, _name())
    except TooManyError:
        text = f"The workspace has {MOST[kind]}, the maximum. Delete one first."
        raise WrongParameterError("name", text) from None
    except TooLargeError:
        raise _too_large(kind) from None


def change(kind: SavedKind, arguments: Arguments, saved_id: str, content: dict[str, Any]) -> Saved:
    """Replace the version that the request names, else 409.

    Raises:
        WrongParameterError: it names none, or `content` is too large.
    """
    if not _version(arguments):
        text = "Give the version that you have read, here or in the header If-Match."
        raise WrongParameterError("version", text)
    before = _as_named(kind, arguments, saved_id)
    try:
        return book_of(kind, arguments).change(before, content, _name())
    except ChangedError:
        _refuse(kind, arguments, saved_id)
    except TooLargeError:
        raise _too_large(kind) from None


def delete(kind: SavedKind, arguments: Arguments, saved_id: str) -> None:
    """Delete it; if the request names a version, only that one, else 409."""
    before = _as_named(kind, arguments, saved_id)
    try:
        book_of(kind, arguments).delete(before, _name())
    except ChangedError:
        _refuse(kind, arguments, saved_id)


def view(saved: Saved) -> dict[str, Any]:
    """It, as the API returns it."""
    return {
        "id": saved.id,
        # As text: JavaScript's numbers do not hold it.
        "version": str(saved.version),
        **saved.content,
        "created_ms": saved.created_ms,
        "created_by": saved.created_by,
        "changed_ms": saved.changed_ms,
        "changed_by": saved.changed_by,
    }


def content_of(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What of the arguments is saved."""
    return {name: value for name, value in arguments.items() if name not in _ABOUT}


_ABOUT = frozenset({"workspace_id", "version"})


def _as_named(kind: SavedKind, arguments: Arguments, saved_id: str) -> Saved:
    saved = found(kind, arguments, saved_id)
    if _version(arguments) not in {"", "*", str(saved.version)}:
        _refuse(kind, arguments, saved_id)
    return saved


def _version(arguments: Arguments) -> str:
    header = request.headers.get("If-Match", "").strip().removeprefix("W/").strip('"')
    return str(arguments.get("version", "")) or header


def _refuse(kind: SavedKind, arguments: Arguments, saved_id: str) -> NoReturn:
    now = found(kind, arguments, saved_id)
    who = f" by {now.changed_by}" if now.changed_by else ""
    text = (
        f"The {_CALLED[kind]} has been changed{who} since you read it; its version is "
        f"{now.version} now. Read it again, and repeat your change."
    )
    abort(409, text)


def _too_large(kind: SavedKind) -> WrongParameterError:
    text = f"As JSON, a {_CALLED[kind]} has at most {MOST_BYTES[kind]:,} bytes."
    return WrongParameterError("body", text)


def _name() -> str:
    principal = current_principal()
    return principal.name or principal.id
