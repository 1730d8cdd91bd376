"""Errors of the front never repeat a secret."""

import pytest
from gunicorn.http.errors import InvalidHeader, InvalidRequestLine

from serving.refusal import refusal_of

KEY = "sheaf_0123456789ab_secretsecretsecret"


@pytest.mark.parametrize(
    "line",
    [
        f"Authorization Bearer {KEY}",
        "authorization\x00: Basic c2VjcmV0",
        "Cookie sheaf_session=secret",
        f"X-Other {KEY}",
    ],
)
@pytest.mark.parametrize("kind", [InvalidHeader, InvalidRequestLine])
def test_a_malformed_line_with_a_key_is_refused_without_it(kind, line):
    text = str(refusal_of(kind(line)))
    assert "secret" not in text
    assert "c2VjcmV0" not in text


def test_another_malformed_line_is_named():
    assert "Bad Header" in str(refusal_of(InvalidHeader("Bad Header")))
