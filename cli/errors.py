"""Errors that end a command."""


class StartError(Exception):
    """Sheaf cannot start or continue; the text says why and what to do, as a sentence."""


class StopAskedError(Exception):
    """A signal requested a stop during a wait."""
