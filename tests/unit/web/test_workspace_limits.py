"""Whose limits a request takes part in."""

import pytest
from flask import g

from access.principal import NotAllowedError, Principal
from web.http.workspace_limits import limits_of_request


@pytest.mark.parametrize(
    ("bound", "named", "header", "expected"),
    [
        ("", "", "", "default"),
        ("", "acme", "", "acme"),
        ("", "", "acme", "acme"),
        ("acme", "", "", "acme"),
        ("acme", "acme", "", "acme"),
        ("acme", "other", "", None),
        ("acme", "", "other", None),
    ],
)
def test_a_key_takes_no_place_of_a_workspace_that_it_is_not_bound_to(
    make_app, bound, named, header, expected
):
    headers = {"X-Workspace-Id": header} if header else {}
    with make_app().test_request_context(headers=headers):
        g.principal = Principal("k", "n", frozenset({"admin"}), bound)
        if expected is None:
            with pytest.raises(NotAllowedError):
                limits_of_request({"workspace_id": named})
        else:
            assert limits_of_request({"workspace_id": named}).workspace_id == expected
