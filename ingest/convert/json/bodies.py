"""Splits bodies of the JSON door into records, and keeps the neighbours of a broken one."""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec

from ingest.convert import limits, mended_json
from ingest.convert.mended_json import Broken
from ingest.status import invalid

_LINE = re.compile(rb"[^\r\n]+")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a record was refused."""

    index: int
    field: str
    reason: str


def parse(body: bytes, *, lines: bool, most: int = sys.maxsize) -> tuple[list[Any], list[Problem]]:
    """The records of a body: one object, an array of objects, or one object per line.

    A line or array member that is not JSON becomes a problem; a body without any JSON is refused.
    The index of a record is its place among the records.

    Args:
        body: the uncompressed body, UTF-8.
        lines: read it as NDJSON, without trying to read it as a whole.
        most: maximum number of records.

    Raises:
        RefusedError: the body is not JSON at all, or contains no record, or too many.
    """
    if not body.strip():
        raise invalid("the body is empty; send a JSON object, an array, or NDJSON")
    records = _lines(body, most) if lines else _whole(body, most)
    limits.check_count(len(records), most)
    problems = [
        Problem(index, "", f"is not JSON: {record.reason}")
        for index, record in enumerate(records)
        if isinstance(record, Broken)
    ]
    if len(problems) == len(records):
        several = lines or len(records) > 1
        subject = "no line of the body is JSON; the first" if several else "the body"
        raise invalid(f"{subject} {problems[0].reason}")
    return records, problems


def _whole(body: bytes, most: int) -> list[Any]:
    try:
        whole = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _piecemeal(body, most)
    if whole == []:
        raise invalid("the array is empty; send at least one record")
    return whole if isinstance(whole, list) else [whole]


def _piecemeal(body: bytes, most: int) -> list[Any]:
    """The records that can be separated in a body that is not JSON as a whole."""
    if members := mended_json.members(body, most):
        return members
    several = b"\n" in body.strip()
    if several and not isinstance(next(_each_line(body)), Broken):
        return _lines(body, most)
    one = mended_json.read(body)
    return _lines(body, most) if several and isinstance(one, Broken) else [one]


def _lines(body: bytes, most: int) -> list[Any]:
    return list(islice(_each_line(body), min(most, sys.maxsize - 1) + 1))


def _each_line(body: bytes) -> Iterator[Any]:
    for line in _LINE.finditer(body):
        if not line[0].isspace():
            yield mended_json.read(line[0])
