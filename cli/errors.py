"""Why a command cannot do what it was asked."""


class StartError(Exception):
    """Sheaf cannot start or go on; the text says in a sentence why and what to do about it."""


class StopAskedError(Exception):
    """A signal asked for a stop while something was being waited for."""
