import base64

import pytest

from access.credentials import token_of
from access.principal import NotAuthenticatedError


def basic(text):
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "header", ["Bearer key", "bearer key", "BEARER  key ", basic("anything:key"), basic(":key")]
)
def test_a_key_is_found_in_every_form(header):
    assert token_of(header) == "key"


def test_a_password_may_have_colons():
    assert token_of(basic("user:a:b")) == "a:b"


@pytest.mark.parametrize(
    "header",
    ["", "key", "Bearer", "Bearer ", "Digest key", "Basic", "Basic !", "Basic /w==", basic("user")],
)
def test_without_a_key_the_error_says_how_to_send_one(header):
    with pytest.raises(NotAuthenticatedError, match="Authorization: Bearer <key>") as refused:
        token_of(header)
    assert refused.value.field == "Authorization"
