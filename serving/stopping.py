"""Whether this process is about to stop, so that it must not be sent more requests."""

from flask import Flask, current_app

REASON = "this process is stopping"

_KEY = "SHEAF_STOPPING"


def note_stop(app: Flask) -> None:
    """Note that the app's process was asked to stop. May be called in a signal handler."""
    app.config[_KEY] = True


def is_stopping() -> bool:
    """Whether the process of the current app was asked to stop."""
    return bool(current_app.config.get(_KEY))
