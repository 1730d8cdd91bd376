"""docs/tail.md says what the commands do."""

import argparse
import re

import pytest

from cli.generate import options as generate_options
from cli.tail import options as tail_options
from cli.tail.lines import FORMATS, read_line, regex_format


@pytest.fixture(scope="module")
def text(project_root):
    return (project_root / "docs" / "tail.md").read_text()


def options_of(module):
    """The long options that a command takes."""
    parser = argparse.ArgumentParser()
    module.add_options(parser)
    return {name for name in parser._option_string_actions if name.startswith("--")}


def test_every_option_that_the_page_names_is_there(text):
    known = options_of(tail_options) | options_of(generate_options)
    named = set(re.findall(r"--[a-z][a-z-]*", text))
    assert named <= known
    assert options_of(tail_options) - {"--help", "--from-start"} <= named


def test_the_lines_that_the_page_shows_are_of_their_formats(text):
    rows = re.findall(r"^\| (JSON|request log|logfmt) \| `(.+?)` \|", text, re.MULTILINE)
    formats = {"JSON": "json", "request log": "request", "logfmt": "logfmt"}
    assert len(rows) == len(formats)
    for name, line in rows:
        assert read_line(line, FORMATS[formats[name]]).attributes

    pattern = re.search(r"`--regex '(.+?)'`", text)[1]
    read = read_line("WARN ann: gone", [regex_format(re.compile(pattern))])
    assert (read.severity_text, read.body, read.attributes) == ("WARN", "gone", {"user": "ann"})
