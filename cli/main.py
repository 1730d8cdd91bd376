"""The command `sheaf`: reads the command line and the environment, then runs one subcommand."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence

from cli import backup_options
from cli import plan as plan_options
from cli.generate import options as generate_options
from cli.tail import options as tail_options
from config.settings import Settings, SettingsError, load

# The exit code that shells give to a process that SIGINT ended.
_INTERRUPTED = 128 + signal.SIGINT


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit code; by default with the process's arguments.

    Invalid settings end like invalid arguments: a sentence each on standard error, exit code 2.
    """
    options = _parser().parse_args(arguments)
    if getattr(options, "data_dir", None):
        os.environ["DATA_DIR"] = options.data_dir
    try:
        settings = load()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        code: int = options.command(settings, options)
    except KeyboardInterrupt:
        return _INTERRUPTED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sheaf",
        description="OpenTelemetry and JSON logs in, bound into large batches, stored once.",
        epilog="Everything else is set in the environment: see `sheaf settings`.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="start everything and keep it running until Ctrl-C")
    run.add_argument("--data-dir", metavar="FOLDER", help="folder for Sheaf's files, like DATA_DIR")
    run.set_defaults(command=_run)
    migrate = commands.add_parser("migrate", help="migrate ClickHouse to the newest schema")
    migrate.add_argument(
        "--wait", action="store_true", help="wait up to a minute until ClickHouse answers"
    )
    migrate.set_defaults(command=_migrate)
    show = commands.add_parser("settings", help="print every setting, its value and its meaning")
    show.add_argument("--markdown", action="store_true", help="print docs/settings.md instead")
    show.set_defaults(command=_settings)
    actions = "list, show, replay or drop what could not be stored"
    dead = commands.add_parser("dead-letters", help=actions)
    dead.add_argument("arguments", nargs=argparse.REMAINDER, help=f"{actions}; each has a --help")
    dead.set_defaults(command=_dead_letters)
    what = "list several ledgers, or forget one that is empty"
    ledgers = commands.add_parser("ledgers", help=what)
    ledgers.add_argument("arguments", nargs=argparse.REMAINDER, help="`list` or `forget NAME`")
    ledgers.set_defaults(command=_ledgers)
    what = "make, list, rotate or revoke keys"
    keys = commands.add_parser("keys", help=what)
    keys.add_argument(
        "arguments", nargs=argparse.REMAINDER, help=f"{what}; each of the four has a --help"
    )
    keys.set_defaults(command=_keys)
    # Without options of its own, it passes on those that follow it at once, --help too.
    limits = commands.add_parser(
        "limits", help="show or change the limits of workspaces", prefix_chars="+", add_help=False
    )
    limits.add_argument("arguments", nargs=argparse.REMAINDER)
    limits.set_defaults(command=_limits)
    what = "show or set the rules of redaction"
    redaction = commands.add_parser("redaction", help=what)
    redaction.add_argument("arguments", nargs=argparse.REMAINDER, help="`show` or `set FILE`")
    redaction.set_defaults(command=_redaction)
    tail = commands.add_parser("tail", help="follow log files and send their lines, each once")
    tail_options.add_options(tail)
    tail.set_defaults(command=_tail)
    generate = commands.add_parser("generate", help="generate a request log, to a file or as OTLP")
    generate_options.add_options(generate)
    generate.set_defaults(command=_generate)
    keep = commands.add_parser("retention", help="delete expired records")
    keep.add_argument("--dry-run", action="store_true", help="only list what would be deleted")
    keep.set_defaults(command=_retention)
    needs = commands.add_parser("plan", help="print what a load needs: processes, disk, money")
    plan_options.add_options(needs)
    needs.set_defaults(command=lambda _, options: plan_options.run(options))
    backup_options.add_commands(commands)
    return parser


def _run(settings: Settings, _: argparse.Namespace) -> int:
    from cli.run import run  # noqa: PLC0415 - `sheaf settings` needs none of what it imports

    return run(settings)


def _migrate(settings: Settings, options: argparse.Namespace) -> int:
    from cli.schema import migrate  # noqa: PLC0415 - as above

    return migrate(settings, wait=options.wait)


def _dead_letters(settings: Settings, options: argparse.Namespace) -> int:
    from cli.dead_letters import run  # noqa: PLC0415 - as above

    return run(settings, options.arguments)


def _ledgers(settings: Settings, options: argparse.Namespace) -> int:
    from cli.ledgers import run  # noqa: PLC0415 - as above

    return run(settings, options.arguments)


def _keys(settings: Settings, options: argparse.Namespace) -> int:
    from cli.keys import run  # noqa: PLC0415 - as above

    return run(settings, options.arguments)


def _limits(settings: Settings, options: argparse.Namespace) -> int:
    from cli.limits import run  # noqa: PLC0415 - as above

    return run(settings, options.arguments)


def _redaction(settings: Settings, options: argparse.Namespace) -> int:
    from cli.redaction import run  # noqa: PLC0415 - as above

    return run(settings, options.arguments)


def _tail(settings: Settings, options: argparse.Namespace) -> int:
    from cli.tail.command import run  # noqa: PLC0415 - as above

    return run(settings, options)


def _generate(settings: Settings, options: argparse.Namespace) -> int:
    from cli.generate.command import run  # noqa: PLC0415 - as above

    return run(settings, options)


def _retention(settings: Settings, options: argparse.Namespace) -> int:
    from cli.retention import run  # noqa: PLC0415 - as above

    return run(settings, options)


def _settings(settings: Settings, options: argparse.Namespace) -> int:
    from cli.settings_table import markdown, text  # noqa: PLC0415 - as above

    print(markdown() if options.markdown else text(settings), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
