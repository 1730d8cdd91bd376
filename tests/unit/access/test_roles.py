"""What the groups of a user allow, and where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.roles import roles_of
from config.roles import SCOPES, RoleRule, role_rules

GROUPS = ("a", "b", "c")
WORKSPACES = ("", "x", "y")
RULES = st.lists(
    st.builds(
        RoleRule, st.sampled_from(GROUPS), st.sampled_from(SCOPES), st.sampled_from(WORKSPACES)
    ),
    max_size=8,
)


def allows(scopes, scope):
    return scope in scopes or "admin" in scopes


@given(RULES, st.sets(st.sampled_from(GROUPS)))
def test_the_roles_allow_what_the_groups_allow_and_nothing_else(rules, groups):
    roles = roles_of(rules, groups)
    for workspace_id in ("x", "y", "z"):
        granted = {
            rule.scope
            for rule in rules
            if rule.group in groups and rule.workspace_id in {"", workspace_id}
        }
        here = roles.get(workspace_id, roles.get("", frozenset()))
        for scope in SCOPES:
            assert allows(here, scope) == allows(granted, scope)


@given(RULES, st.sets(st.sampled_from(GROUPS)))
def test_no_role_is_offered_that_adds_nothing(rules, groups):
    roles = roles_of(rules, groups)
    everywhere = roles.get("", frozenset())
    for workspace_id, scopes in roles.items():
        assert scopes
        if workspace_id:
            assert any(allows(scopes, each) and not allows(everywhere, each) for each in SCOPES)


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("", ()),
        (" , ", ()),
        ("sre=admin", (RoleRule("sre", "admin"),)),
        (
            "sre = admin , payments=read:payments",
            (RoleRule("sre", "admin"), RoleRule("payments", "read", "payments")),
        ),
        ("/teams/sre=read:a:b", (RoleRule("/teams/sre", "read", "a:b"),)),
        ("cn=sre=ingest", (RoleRule("cn=sre", "ingest"),)),
        ("urn:x:sre=read", (RoleRule("urn:x:sre", "read"),)),
    ],
)
def test_roles_are_read_as_documented(text, rules):
    assert role_rules(text) == rules


@pytest.mark.parametrize(
    "text", ["sre", "=admin", "sre=", "sre=root", "sre=Admin", "sre=read:", "sre=read:a b"]
)
def test_a_wrong_role_is_named(text):
    with pytest.raises(ValueError, match=f"OIDC_ROLES.*{text!r}"):
        role_rules(f"good=read, {text}")
