"""Random bodies of log records, and their templates as ClickHouse makes them."""

import re

from hypothesis import strategies as st

from storage.query.templates.masks import BODY_CHARACTERS, MASKS

FRAGMENTS = (
    *("12", "-3", "4.5", "0x1F", "deadbeef1", "cafe", "1e9", "::1", "fe80::1:2", "1:2:3"),
    *("10.0.0.1", "10.0.0.1:80", "999.1.1.1.1", "2026-07-14", "2026-07-14T10:00:00,123+02:00"),
    *("10:20:30.5", "00:1B:44:11:3A:B7", "5f0c5a3e-93a3-4f3b-8c40-0a9a4c6f1f6e", "'a b'", "'"),
    *('"x 1"', '"', "it's", "/a/b", "/a", "/a/b/c.d/", "http://a.b/c?d=1", "blk_-42", "a-1"),
    *("'ab'", '"a"', "12 ms", "5 MB", "3.5s", "2026-07-14 10:20", "10:20:30,5", "http://a/[b];c"),
    *("Jul 14 10:20:30", "Tue, Jul 14, 2026 10:20 CEST", "user", "root", "(", ")", "):", ". "),
    *(" ", "  ", "=", ",", ":", "(", "[", "]", "_", "-", "\n", "é", "Я9", "\\", "<num>", "%s"),
    *("<*>", "<...>", ".", "|", "{", "}", ";"),
)

bodies = st.lists(st.sampled_from(FRAGMENTS), max_size=8).map("".join)

_WORDS = ("user", "host", "root", "anna", "failed", "login", "from", "on", "for", "a", "b")
_VALUES = (
    "12",
    "10.0.0.1",
    "/a/b",
    "'x'",
    "5 ms",
    "web-1",
    "(x)",
    "x:",
    "x.",
    "x)",
    "2026-07-14 10:20",
)
_pieces = st.sampled_from((*_WORDS, *_VALUES))
lines = st.lists(
    st.tuples(_pieces, st.sampled_from((" ", "  ", "=", ", ", ": ", "\n"))), max_size=8
)
sentences = lines.map(lambda pieces: "".join(word + after for word, after in pieces))
"""Bodies of few words, many of which differ in one or two places."""


def template_of(body):
    body = body[:BODY_CHARACTERS]
    for expression, mask in MASKS:
        body = re.sub(expression, mask, body, flags=re.ASCII)
    return body
