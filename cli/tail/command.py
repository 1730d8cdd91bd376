"""`sheaf tail`: following log files until a signal stops it."""

import argparse
import hashlib
import re
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

from cli.announce import addresses
from cli.errors import StartError, StopAskedError
from cli.tail.checkpoint import CheckpointFile, claim
from cli.tail.lines import FORMATS, Format, regex_format
from cli.tail.request import export_request
from cli.tail.send import HttpDoor, deliver, sender_headers
from cli.tail.tail import Tail
from config import logging
from config.settings import Settings
from config.signals import Stop, stop_signals
from ingest.status import RefusedError

_LOOK_SECONDS = 0.25


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Follow the files until SIGINT or SIGTERM, or to their ends; returns the exit code."""
    logging.configure(settings)
    try:
        headers = sender_headers(settings, options)
        door = HttpDoor(options.endpoint or addresses(settings)["http"], headers)
        formats = _formats(options)
        with claim(_checkpoint(settings, options)) as kept, stop_signals() as stop:
            _follow(options, kept, formats, door, stop)
    except StopAskedError:
        return 0
    except (StartError, RefusedError) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"A file cannot be used: {error}.", file=sys.stderr)
        return 1
    return 0


def _follow(
    options: argparse.Namespace,
    kept: CheckpointFile,
    formats: list[Format],
    door: HttpDoor,
    stop: Stop,
) -> None:
    encode = partial(export_request, service=options.service, formats=formats)

    def pause(seconds: float) -> bool:
        # While a door is unavailable, files may be renamed.
        tail.look()
        return stop.wait(seconds)

    send = partial(deliver, door=door, pause=pause)
    with closing(Tail(options.files, kept, encode, send, from_end=options.from_end)) as tail:
        while not stop.is_set():
            if tail.step(torn=options.once):
                continue
            if options.once:
                return
            stop.wait(_LOOK_SECONDS)


def _formats(options: argparse.Namespace) -> list[Format]:
    """The formats to try on each line: the regular expressions first."""
    formats = []
    for text in options.regex:
        try:
            pattern = re.compile(text)
        except re.error as error:
            raise StartError(f"--regex {text!r} is not a regular expression: {error}.") from None
        if not pattern.groupindex:
            raise StartError(f"--regex {text!r} has no named group, such as (?P<level>…).")
        formats.append(regex_format(pattern))
    return [*formats, *FORMATS[options.format]]


def _checkpoint(settings: Settings, options: argparse.Namespace) -> Path:
    """The checkpoint's file: by default the same for the same files, tenant and service."""
    if options.checkpoint:
        return Path(options.checkpoint)
    patterns = sorted(str(Path(pattern).absolute()) for pattern in options.files)
    identity = "\0".join([*patterns, options.workspace, options.client, options.service])
    name = hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()
    return settings.data_dir / "tail" / f"{name}.json"
