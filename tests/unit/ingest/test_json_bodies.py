"""Bodies with a broken part: the rest is taken, and the part is named."""

import itertools
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.convert.json.records import convert, parse
from ingest.status import Reason, RefusedError
from storage.decode.any_value import text

GOOD = b'{"message": "good"}'
DEEP = b'{"message": "x", "deep": ' + b"[" * 40 + b"]" * 40 + b"}"
BOTTOMLESS = b'{"message": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"

MENDED = [
    # a member of a body, its stored text and attributes
    (rb'{"message": "half \ud83d"}', "half \ufffd", {}),
    (rb'{"message": "\ude00 \ud83d\ude00 \\ud83d"}', "\ufffd \U0001f600 \\ud83d", {}),
    (b'{"message": "caf\xe9"}', "caf\ufffd", {}),
    (b'{"message": "x", "\xe9": "\xff"}', "x", {"\ufffd": "\ufffd"}),
    (rb'{"message": "x", "\ud800": 1}', "x", {"\ufffd": "1"}),
    (b'{"message": "x", "n": 1e400}', "x", {"n": "1e400"}),
    (b'{"message": "x", "n": -1E999}', "x", {"n": "-1E999"}),
    (b'{"message": 1e400}', "1e400", {}),
    (b'{"message": "x", "n": ' + b"7" * 5000 + b"}", "x", {"n": "7" * 5000}),
    (b'{"message": "x", "n": ' + b"7" * 30 + b"}", "x", {"n": "7" * 30}),
    (b'{"message": "x", "n": NaN, "m": -Infinity}', "x", {"n": "NaN", "m": "-Infinity"}),
    (b'{"message": "a\tb\x1b"}', "a\tb\x1b", {}),
    (b'{"message": "x", "l": [1, null, "a"]}', "x", {"l": '[1,null,"a"]'}),
]
REFUSED = [
    # a member of a body, the field and the reason of its refusal
    (b"{bad}", "", "is not JSON: "),
    (b'{"message": "x" "y"}', "", "is not JSON: "),
    (b'{"message": "x"} y', "", "is not JSON: "),
    (b'{"message": tru}', "", "is not JSON: "),
    (b"nonsense", "", "is not JSON: "),
    (b'{"message": "x", "l": [1}', "", "is not JSON: "),
    (BOTTOMLESS, "", "is not JSON: "),
    (DEEP, "deep", "deep is nested more than 31 levels deep"),
    (b"7", "", "a record must be a JSON object"),
    (b"null", "", "a record must be a JSON object"),
    (b'{"level": "info"}', "message", "message is missing"),
    (b'{"message": "x", "timestamp": 1e400}', "timestamp", "'1e400' is not an ISO 8601"),
    (b'{"message": "x", "timestamp": NaN}', "timestamp", "must be a finite number"),
    (b'{"message": "x", "workspace_id": "a b"}', "workspace_id", "1 to 128 characters"),
]


def as_lines(members):
    return b"\n".join(members) + b"\n"


def as_array(members):
    return b"[" + b", ".join(members) + b"]"


FORMS = [(as_lines, True), (as_lines, False), (as_array, False)]
"""How a body's members are joined, and whether the body is announced as lines."""


def taken(body, lines):
    """The records stored of a body, in its order, and its problems."""
    converted = convert(*parse(body, lines=lines))
    # Fails if a record cannot be serialised.
    converted.request.SerializeToString()

    records = []
    for resource in converted.request.resource_logs:
        for scope in resource.scope_logs:
            records += scope.log_records
    return records, converted.problems


def bodies_of(records):
    return [record.body.string_value for record in records]


@pytest.mark.parametrize(("form", "lines"), FORMS)
@pytest.mark.parametrize("row", MENDED, ids=lambda row: ascii(row[0][:40]))
def test_what_can_be_mended_is_stored_beside_its_neighbours(row, form, lines):
    member, body, attributes = row
    records, problems = taken(form([GOOD, member, GOOD]), lines)
    assert problems == []
    assert [text(record.body) for record in records] == ["good", body, "good"]
    assert {one.key: text(one.value) for one in records[1].attributes} == attributes


@pytest.mark.parametrize("row", MENDED, ids=lambda row: ascii(row[0][:40]))
def test_a_single_record_is_mended_also_when_it_takes_several_lines(row):
    member, body, _ = row
    on_two_lines = member.replace(b": ", b":\n ", 1)
    with_byte_order_mark = b"\xef\xbb\xbf" + member

    for single in (member, on_two_lines, with_byte_order_mark):
        [record], problems = taken(single, lines=False)
        assert (text(record.body), problems) == (body, [])


@pytest.mark.parametrize(("form", "lines"), FORMS)
@pytest.mark.parametrize("row", REFUSED, ids=lambda row: ascii(row[0][:40]))
def test_what_cannot_be_taken_is_named_and_leaves_its_neighbours(row, form, lines):
    member, field, reason = row
    records, problems = taken(form([GOOD, member, GOOD, member]), lines)
    assert bodies_of(records) == ["good", "good"]
    assert [problem.index for problem in problems] == [1, 3]
    assert {problem.field for problem in problems} == {field}
    assert all(reason in problem.reason for problem in problems)


def test_a_comma_too_many_is_no_record_and_an_empty_member_is_a_wrong_one():
    records, problems = taken(b'[{"message": "a"}, {"message": "b"}, ]', lines=False)
    assert bodies_of(records) == ["a", "b"]
    assert problems == []

    records, [problem] = taken(b'[{"message": "a"}, , {"message": "b"}]', lines=False)
    assert bodies_of(records) == ["a", "b"]
    assert problem.index == 1


@pytest.mark.parametrize(
    "body",
    [
        b'[{"message": "a"}, {"mess',
        b'[{"message": "a"}, {"message": "no end}, {"message": "b"}]',
        b'[{"message": "a"}}]',
        b'[{"message": "a"}]]',
        b'[{"message": "a"}] and more',
        b'[{"message": "a"}',
    ],
)
def test_an_array_whose_members_cannot_be_told_apart_is_refused_whole(body):
    with pytest.raises(RefusedError, match="the body is not JSON") as refused:
        parse(body, lines=False)
    assert refused.value.reason is Reason.INVALID


@pytest.mark.parametrize(
    ("body", "lines"), [(b"\xff", True), (b"{bad}\n{bad}", True), (b"{bad}\n{bad}", False)]
)
def test_lines_of_which_none_is_json_are_called_lines(body, lines):
    first = "the first is not JSON: (invalid character|object keys must be strings)"
    with pytest.raises(RefusedError, match=f"no line of the body is JSON; {first}"):
        parse(body, lines=lines)


@pytest.mark.parametrize(("form", "lines"), FORMS)
@pytest.mark.parametrize("last", [GOOD, b"{bad}"])
def test_more_records_than_the_limit_are_refused(form, lines, last):
    parse(form([GOOD, GOOD, last]), lines=lines, most=3)
    with pytest.raises(RefusedError, match="more than 3 records") as refused:
        parse(form([GOOD, GOOD, last, GOOD]), lines=lines, most=3)
    assert refused.value.reason is Reason.TOO_LARGE


def test_a_record_that_is_too_large_as_otlp_is_a_problem_of_its_own():
    records = [{"message": "a"}, {"message": "x" * 5000}, {"message": "b"}]
    converted = convert(records, most_bytes=5000)
    [problem] = converted.problems
    assert (problem.index, problem.reason) == (1, "is larger than the limit of 5000 bytes")
    assert len(converted.request.resource_logs[0].scope_logs[0].log_records) == 2


@given(
    st.lists(
        st.one_of(
            st.just((GOOD, True)),
            st.sampled_from([(row[0], True) for row in MENDED]),
            st.sampled_from([(row[0], False) for row in REFUSED]),
        ),
        min_size=1,
        max_size=12,
    ).filter(lambda rows: any(is_good for _, is_good in rows)),
    st.sampled_from(FORMS),
)
def test_every_good_record_is_stored_once_and_every_bad_one_named(rows, shape):
    form, lines = shape
    stored_as = {member: body for member, body, _ in MENDED} | {GOOD: "good"}

    records, problems = taken(form([member for member, _ in rows]), lines)

    expected = [stored_as[member] for member, is_good in rows if is_good]
    assert [text(record.body) for record in records] == expected
    bad = [index for index, (_, is_good) in enumerate(rows) if not is_good]
    assert [problem.index for problem in problems] == bad


json_values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.text("\ud800\udfffa")
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner)),
    max_leaves=10,
)
names = st.sampled_from(
    [
        *("message", "msg", "event", "log", "level", "severity", "service", "timestamp", "time"),
        *("trace_id", "spanId", "attributes", "client_id", "severity_number", "PRIORITY", "v"),
    ]
)
records = st.dictionaries(st.one_of(st.text(max_size=5), names), json_values, max_size=6)


@given(st.lists(st.one_of(records, json_values), min_size=1, max_size=6))
def test_every_record_is_either_taken_or_a_problem_with_its_index(values):
    found, problems = taken(json.dumps(values).encode(), lines=False)
    indices = [problem.index for problem in problems]
    assert indices == sorted(set(indices))
    assert len(found) + len(indices) == len(values)
    assert all(problem.reason for problem in problems)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_taken_or_refused_with_a_reason(body, lines):
    try:
        records, problems = parse(body, lines=lines)
    except RefusedError as refused:
        assert refused.text  # noqa: PT017 - either outcome is right
    else:
        assert len(records) > len(problems)


@given(st.recursive(st.floats(), lambda inner: st.lists(inner, max_size=4), max_leaves=20))
def test_doubles_of_any_kind_are_the_doubles_that_python_wrote(value):
    body = json.dumps({"message": "x", "v": value}).encode()
    [record], _ = parse(body, lines=False)

    for found, written in zip(flat(record["v"]), flat(value), strict=True):
        assert found == written or (math.isnan(found) and math.isnan(written))


def flat(value):
    """The doubles of nested lists, or a single one, as a list."""
    if not isinstance(value, list):
        return [value]
    return list(itertools.chain.from_iterable(flat(each) for each in value))
