"""The options of `sheaf tail`, apart from what they start."""

import argparse


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add them to the parser of the command."""
    add = parser.add_argument
    add(
        "files", nargs="+", metavar="FILE", help="files to follow; patterns in quotes find new ones"
    )
    add("--service", default="tail", help="service.name of the records (%(default)s)")
    add("--workspace", default="default", help="workspace (%(default)s)")
    add("--client", default="default", help="client within the workspace (%(default)s)")
    add(
        "--format",
        default="auto",
        choices=["auto", "json", "request", "logfmt", "plain"],
        help="what the lines are; auto looks at each (%(default)s)",
    )
    add(
        "--regex",
        action="append",
        default=[],
        metavar="PATTERN",
        help="expression with named groups, tried before the format; may be repeated",
    )
    parser.set_defaults(from_end=False)
    start = parser.add_mutually_exclusive_group()
    start.add_argument(
        "--from-start", action="store_false", dest="from_end", help="read whole files (default)"
    )
    start.add_argument(
        "--from-end", action="store_true", help="at the first start, only what is new"
    )
    add("--once", action="store_true", help="read to the ends of the files and stop")
    add("--endpoint", metavar="URL", help="the HTTP door (this machine's, at OTEL_HTTP_PORT)")
    add("--checkpoint", metavar="FILE", help="where to remember what was read (in DATA_DIR/tail)")
