import pytest

from access.principal import ANYONE, SCOPES, NotAllowedError, Principal


def principal(*scopes, workspace="", client=""):
    return Principal("k", "", frozenset(scopes), workspace, client)


@pytest.mark.parametrize("held", SCOPES)
@pytest.mark.parametrize("asked", SCOPES)
def test_a_scope_allows_itself_and_admin_allows_all(held, asked):
    if held in {asked, "admin"}:
        principal(held).check(asked)
    else:
        with pytest.raises(NotAllowedError, match=f"needs the scope {asked}; you have {held}"):
            principal(held).check(asked)


def test_several_scopes_allow_what_each_allows():
    both = principal("ingest", "read")
    both.check("ingest")
    both.check("read")
    with pytest.raises(NotAllowedError):
        both.check("admin")


def test_a_bound_principal_is_refused_what_concerns_all_workspaces():
    principal("admin").check_everywhere()
    with pytest.raises(NotAllowedError, match="bound to acme"):
        principal("admin", workspace="acme").check_everywhere()


def test_the_workspace_is_the_named_one_else_the_bound_one():
    assert ANYONE.workspace("", "f") == ""
    assert ANYONE.workspace("acme", "f") == "acme"
    bound = principal("read", workspace="acme", client="web")
    assert bound.workspace("", "f") == bound.workspace("acme", "f") == "acme"
    assert bound.client("", "f") == bound.client("web", "f") == "web"

    for name in (bound.workspace, bound.client):
        with pytest.raises(NotAllowedError) as refused:
            name("other", "the_field")
        assert refused.value.field == "the_field"
