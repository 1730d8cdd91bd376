import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage import decode
from storage.decode import ChunkRows
from storage.redaction.payload import WITHHELD, redacted
from storage.redaction.rows import redact
from storage.redaction.rules import Redactor, Rule
from tests.unit.storage.decode import metric_strategies, span_strategies, strategies
from tests.unit.storage.decode.alike import assert_same
from tests.unit.storage.decode.alike import slow as thorough
from tests.unit.storage.redaction.made_rules import redactors, texts_with_secrets
from tests.unit.storage.redaction.plain import plainly_redacted

REQUESTS = {
    "logs": strategies.requests,
    "traces": span_strategies.requests,
    "metrics": metric_strategies.requests,
}
# Each example compiles its rules many times.
slow = settings(thorough, max_examples=15)
books = st.dictionaries(st.sampled_from(["default", "acme", "a.b:c-d_e"]), redactors)


@st.composite
def planted(draw, requests):
    """A request with secrets in some of its texts."""
    request = draw(requests)
    made = type(request)()
    made.CopyFrom(request)
    for place in _values(made):
        if draw(st.booleans()):
            place.string_value = draw(texts_with_secrets())
    return made


def _values(message):
    """Every AnyValue that holds a string, however deep."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for each in value if field.is_repeated else [value]:
            if each.DESCRIPTOR.name == "AnyValue" and each.WhichOneof("value") == "string_value":
                yield each
            yield from _values(each)


def chunks_of(signal):
    return strategies.chunk_lists(strategies.joined(planted(REQUESTS[signal])))


def assert_distinct(array):
    """Dictionaries have no text twice: ClickHouse would mix up what follows."""
    if isinstance(array, pa.DictionaryArray):
        assert len(array.dictionary.unique()) == len(array.dictionary)
    elif isinstance(array, pa.MapArray):
        assert_distinct(array.items)
    elif isinstance(array, pa.ListArray):
        assert_distinct(array.values)


@pytest.mark.parametrize("signal", REQUESTS)
@slow
@given(data=st.data())
def test_columns_are_redacted_as_records_are_one_by_one(signal, data):
    tables = decode.decode(signal, data.draw(chunks_of(signal)))
    cut = data.draw(st.integers(0, 3))
    tables = {name: rows.slice(cut) for name, rows in tables.items()}
    book = data.draw(books)

    made = redact(tables, book.get)

    expected = {name: plainly_redacted(rows, book.get) for name, rows in tables.items()}
    assert_same(made, expected)
    for batch in made.values():
        for column in batch.columns:
            assert_distinct(column)


@pytest.mark.parametrize("signal", REQUESTS)
@slow
@given(data=st.data())
def test_a_payload_is_redacted_as_its_rows(signal, data):
    payload = data.draw(planted(REQUESTS[signal])).SerializeToString()
    redactor = data.draw(redactors)

    found = decode.decode(signal, [chunk(redacted(signal, payload, redactor))])

    rows = redact(decode.decode(signal, [chunk(payload)]), lambda _: redactor)
    for table in found:
        for column in set(found[table].schema.names) - IDENTITIES:
            values = found[table].column(column).to_pylist()
            assert repr(values) == repr(rows[table].column(column).to_pylist()), column


IDENTITIES = {"ServiceName", "ServiceVersion"}
"""Columns that rows keep, but that come from attributes, which a payload has once."""


def chunk(payload):
    return ChunkRows(payload, "acme", "web", 7, 5, 0)


def test_what_cannot_be_read_is_withheld_and_stays_unreadable():
    redactor = Redactor((Rule("mask", pattern="x"),), b"s")
    assert redacted("logs", b"\xff\xff password x", redactor) == WITHHELD
    with pytest.raises(decode.UndecodableError):
        decode.decode("logs", [chunk(WITHHELD)])


def test_fields_of_a_newer_protocol_are_left_out_of_a_payload():
    redactor = Redactor((Rule("mask", pattern="x"),), b"s")
    unknown = b"\xa2\x06\x06secret"
    assert b"secret" not in redacted("logs", unknown, redactor)
