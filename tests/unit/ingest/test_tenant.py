import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from access.principal import ANYONE, Principal
from ingest.status import Reason, RefusedError
from ingest.tenant import Sender, Tenant, sender_of

GOOD = ["a", "acme", "A.b:c-d_E9", "x" * 128]
BAD = ["", " ", "a b", "é", "a/b", "x" * 129, "a\n", "a\x00", "'; DROP TABLE otel_logs"]


def attributes(**values):
    """OTLP attributes; two underscores in a name stand for a dot."""
    return [
        KeyValue(key=name.replace("__", "."), value=AnyValue(string_value=text))
        for name, text in values.items()
    ]


def from_headers(headers, principal=ANYONE):
    return sender_of(principal, headers).tenant


def from_attributes(attributes, otherwise):
    return Sender(otherwise).tenant_of(attributes)


def bound_to(workspace, client=""):
    return Principal("k", "", frozenset({"ingest"}), workspace, client)


def test_a_tenant_is_default_where_nothing_names_it():
    assert from_headers({}) == Tenant("default", "default")
    assert from_headers({"x-workspace-id": "", "x-client-id": ""}) == Tenant("default", "default")
    assert from_attributes([], Tenant("a", "b")) == Tenant("a", "b")


def test_headers_name_a_tenant_in_full_or_in_part():
    both = {"x-workspace-id": "acme", "x-client-id": "web"}
    assert from_headers(both) == Tenant("acme", "web")
    assert from_headers({"x-workspace-id": "acme"}) == Tenant("acme", "default")
    assert from_headers({"x-client-id": "web"}) == Tenant("default", "web")


@pytest.mark.parametrize("name", GOOD)
def test_a_name_of_permitted_characters_is_taken(name):
    assert from_headers({"x-workspace-id": name}).workspace_id == name
    assert from_attributes(attributes(client_id=name), Tenant()).client_id == name


@pytest.mark.parametrize("name", [name for name in BAD if name])
@pytest.mark.parametrize("header", ["x-workspace-id", "x-client-id"])
def test_a_header_with_any_other_name_is_refused_and_named(name, header):
    with pytest.raises(RefusedError) as refused:
        from_headers({header: name})
    assert refused.value.reason is Reason.INVALID
    assert refused.value.field == header
    assert refused.value.text.startswith(f"{header} must be a string of 1 to 128 characters")


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("key", ["workspace_id", "workspace__id", "client_id", "client__id"])
def test_an_attribute_with_any_other_name_is_refused_and_named(name, key):
    with pytest.raises(RefusedError) as refused:
        from_attributes(attributes(**{key: name}), Tenant())
    assert refused.value.field == key.replace("__", ".")


def test_both_spellings_of_the_attributes_win_over_the_headers():
    headers = Tenant("h", "h")
    assert from_attributes(attributes(workspace_id="a"), headers) == Tenant("a", "h")
    assert from_attributes(attributes(workspace__id="a"), headers) == Tenant("a", "h")

    both = attributes(client__id="c", workspace_id="w", other="o")
    assert from_attributes(both, headers) == Tenant("w", "c")


def test_an_attribute_that_is_no_string_is_refused():
    number = KeyValue(key="workspace_id", value=AnyValue(int_value=7))
    with pytest.raises(RefusedError):
        from_attributes([number], Tenant())


def test_a_bound_key_names_the_tenant_where_nothing_else_does():
    assert from_headers({}, bound_to("acme")) == Tenant("acme", "default")
    assert from_headers({}, bound_to("acme", "web")) == Tenant("acme", "web")
    assert from_headers({"x-client-id": "app"}, bound_to("acme")) == Tenant("acme", "app")
    assert from_headers({"x-workspace-id": "acme"}, bound_to("acme")) == Tenant("acme", "default")


@pytest.mark.parametrize(
    ("headers", "principal"),
    [
        ({"x-workspace-id": "other"}, bound_to("acme")),
        ({"x-client-id": "other"}, bound_to("acme", "web")),
    ],
)
def test_a_header_that_contradicts_the_key_is_refused_and_named(headers, principal):
    with pytest.raises(RefusedError) as refused:
        from_headers(headers, principal)
    assert refused.value.reason is Reason.FORBIDDEN
    assert refused.value.field == next(iter(headers))
    assert "you are bound to the" in refused.value.text


@pytest.mark.parametrize("name", ["workspace_id", "workspace__id", "client_id", "client__id"])
def test_an_attribute_that_contradicts_the_key_is_refused_and_named(name):
    sender = sender_of(bound_to("acme", "web"), {})
    with pytest.raises(RefusedError) as refused:
        sender.tenant_of(attributes(**{name: "other"}))
    assert refused.value.reason is Reason.FORBIDDEN
    assert refused.value.field == name.replace("__", ".")


def test_an_attribute_that_agrees_with_the_key_is_taken():
    sender = sender_of(bound_to("acme", "web"), {})
    named = attributes(workspace_id="acme", client__id="web")
    assert sender.tenant_of(named) == Tenant("acme", "web")
