"""Foreign text in Sheaf's own log."""

import json
import logging
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.plain_text import PlainFormatter, escape

# What terminals and viewers take for the end of a line, or for a command.
ENDS = ["\n", "\r", "\x0b", "\x0c", "\x1b[2K", "\x1c", "\x7f", "\x85", "\x9b", "\u2028", "\u2029"]
FORGED = "2026-11-27T00:00:00Z [info     ] forged"

WRITE = """
import json, logging, sys
import structlog
from config import logging as sheaf_logging
from config.settings import Settings

log_format, text = sys.argv[1], json.loads(sys.argv[2])
sheaf_logging.configure(Settings(log_format=log_format))
structlog.get_logger("a").warning("http: answered", path=text, several=[text])
logging.getLogger("b").warning("unknown %s", text)
try:
    raise ValueError(text)
except ValueError:
    logging.getLogger("c").exception("failed")
"""


@pytest.fixture(scope="module", params=["console", "json"])
def written(request, project_root):
    """The log's format, a text that holds every end of a line, and the log about it."""
    text = "".join(f"/a{end}{FORGED}" for end in [*ENDS, "\u202e", "\ud800"])
    done = subprocess.run(
        [sys.executable, "-c", WRITE, request.param, json.dumps(text)],
        cwd=project_root,
        check=True,
        capture_output=True,
        timeout=60,
    )
    return request.param, text, done.stderr.decode()


def test_text_of_others_can_neither_end_a_line_nor_begin_another(written):
    log_format, _, output = written
    lines = output.removesuffix("\n").split("\n")

    assert all(line.isprintable() for line in lines)
    assert not any(line.startswith(FORGED) for line in lines)

    events = [line for line in lines if not line.startswith((" ", "Traceback"))]
    assert len(events) == 3
    if log_format == "json":
        assert len(lines) == 3


def test_json_keeps_the_text(written):
    log_format, text, output = written
    if log_format == "console":
        assert "\\x85" in output
        assert "\\u2028" in output
    else:
        events = [json.loads(line) for line in output.splitlines()]
        assert events[0]["path"] == text
        assert events[1]["event"] == f"unknown {text}"
        assert text in events[2]["exception"]


@pytest.mark.parametrize("end", ENDS)
def test_the_embedded_engines_log_cannot_be_forged_either(end):
    record = logging.LogRecord("a", 30, "", 0, "query %s", (f"x{end}{FORGED}",), None)
    lines = PlainFormatter("%(levelname)s %(message)s").format(record).split("\n")

    assert all(line.isprintable() for line in lines)
    assert lines[0].startswith("WARNING query x")
    assert not any(line.startswith(FORGED) for line in lines)


@given(st.text())
def test_what_is_escaped_is_printable_and_what_is_printable_stays(text):
    assert escape(text).isprintable()
    assert escape(escape(text)) == escape(text)
    if text.isprintable():
        assert escape(text) == text
