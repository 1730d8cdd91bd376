"""The options of `sheaf tail`, without the imports that running it needs."""

import argparse


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to the parser of the command."""
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE", help="files to follow; quoted patterns find new ones")
    add("--service", default="tail", help="service.name of the records (default: %(default)s)")
    add("--workspace", default="default", help="workspace (default: %(default)s)")
    add("--client", default="default", help="client within the workspace (default: %(default)s)")
    add(
        "--format",
        default="auto",
        choices=["auto", "json", "request", "logfmt", "plain"],
        help="format of the lines; auto detects it line by line (default: %(default)s)",
    )
    add(
        "--regex",
        action="append",
        default=[],
        metavar="PATTERN",
        help="regular expression with named groups, tried before the format; repeatable",
    )
    parser.set_defaults(from_end=False)
    start = parser.add_mutually_exclusive_group()
    start.add_argument(
        "--from-start", action="store_false", dest="from_end", help="read whole files (default)"
    )
    start.add_argument(
        "--from-end", action="store_true", help="on the first start, read new lines only"
    )
    add("--once", action="store_true", help="read to the ends of the files and stop")
    add("--endpoint", metavar="URL", help="URL of the HTTP door (default: this machine's)")
    add("--checkpoint", metavar="FILE", help="what was read so far (default: in DATA_DIR/tail)")
