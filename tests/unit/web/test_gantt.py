"""The waterfall as a file: its content, and that no text becomes markup."""

import base64
import hashlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.web.made_spans import event, log, span
from web.traces.gantt.content import Subject, page_content
from web.traces.gantt.page import gantt_page

HOSTILE = '</script><img src=x onerror="alert(1)"><!--<script>\'\u2028\x00&amp;{{ 7*7 }}'

SUBJECT = Subject(title="Some trace")


def embedded(html):
    """What the page's JSON block holds."""
    [text] = re.findall(
        r'<script type="application/json" id="content">(.*?)</script>', html, re.DOTALL
    )
    return json.loads(text)


def test_spans_come_depth_first_with_the_places_of_their_parents():
    spans = [span(1), span(2, 1, 5), span(3, 1, 1), span(4, 3, 2), span(5, 99, 3)]
    [trace] = page_content(SUBJECT, spans)["traces"]

    assert [(int(each["id"], 16), each["parent"]) for each in trace["spans"]] == [
        (1, -1),
        (3, 0),
        (4, 1),
        (2, 0),
        (5, -1),
    ]
    assert [each["damage"] for each in trace["spans"]] == ["", "", "", "", "orphan"]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=12))
def test_every_span_is_there_once_and_below_an_earlier_one_whatever_its_ids_say(ids):
    spans = [
        span(span_id, parent, name=str(number)) for number, (span_id, parent) in enumerate(ids)
    ]

    [trace] = page_content(SUBJECT, spans)["traces"]

    numbers = [int(each["name"]) for each in trace["spans"]]
    assert sorted(numbers) == list(range(len(ids)))
    for place, each in enumerate(trace["spans"]):
        assert each["parent"] < place


@given(st.integers(0, 2**61), st.integers(0, 40 * 86_400 * 10**9))
def test_times_keep_their_nanoseconds(start_ns, later):
    spans = [span(1, start_ns=start_ns), span(2, 1, start_ns=start_ns + later)]

    [trace] = page_content(SUBJECT, spans)["traces"]

    # A span's start is in microseconds after that of the trace.
    offsets_ns = [round(each["start"] * 1000) for each in trace["spans"]]
    assert trace["start_ns"] == str(start_ns)
    assert sorted(offsets_ns) == [0, later]


def test_log_records_know_the_span_that_wrote_them():
    spans = [span(1), span(2, 1)]
    logs = [log("in the child", 2, 3), log("of the trace"), log("of a lost span", 77)]
    [trace] = page_content(SUBJECT, spans, logs)["traces"]

    assert [(each["body"], each["parent"], each["at"]) for each in trace["logs"]] == [
        ("in the child", 1, 3000.0),
        ("of the trace", -1, 0.0),
        ("of a lost span", -1, 0.0),
    ]


def test_traces_come_by_start_with_their_distance_from_the_first_and_their_labels():
    late, early = "a" * 32, "b" * 32
    subject = Subject(title="t", attribute="run_id", labels={late: ["x", "y"]})
    spans = [span(1, start_ms=40, trace_id=late), span(1, start_ms=10, trace_id=early)]
    first, second = page_content(subject, spans)["traces"]

    assert (first["id"], first["offset"], first["labels"]) == (early, 0.0, [])
    assert (second["id"], second["offset"], second["labels"]) == (late, 30_000.0, ["x", "y"])


def test_services_are_counted_and_equal_resources_written_once():
    spans = [span(1), span(2, 1, status_code="Error"), span(3, 1, service_name="mail")]
    content = page_content(SUBJECT, spans)

    assert content["services"] == [
        {"name": "shop", "spans": 2, "errors": 1},
        {"name": "mail", "spans": 1, "errors": 0},
    ]
    assert content["resources"] == [{"service.name": "shop"}]


def hostile_content():
    texts = ("name", "kind", "service_name", "scope_name", "status_code", "status_message")
    attributes = {HOSTILE: HOSTILE}
    odd = span(
        1,
        **dict.fromkeys(texts, HOSTILE),
        attributes=attributes,
        resource_attributes=attributes,
        events=[event(HOSTILE, 1) | {"attributes": attributes}],
        links=[{"trace_id": HOSTILE, "span_id": HOSTILE, "attributes": attributes}],
    )
    line = log(HOSTILE, 1, severity_text=HOSTILE, log_attributes=attributes)
    subject = Subject(title=HOSTILE, attribute=HOSTILE, notes=[HOSTILE])
    return page_content(subject, [odd], [line])


def test_no_text_from_outside_becomes_markup():
    plain = gantt_page(page_content(Subject(title="t", notes=["n"]), [span(1)]))
    hostile = gantt_page(hostile_content())
    assert "<img" not in hostile
    assert hostile.count("<") == plain.count("<")
    assert embedded(hostile) == hostile_content()


def test_a_text_that_is_not_utf_8_is_shown_with_replacement_characters():
    content = embedded(gantt_page(page_content(SUBJECT, [span(1, name=b"caf\xe9")])))
    assert content["traces"][0]["name"] == "caf\ufffd"


@pytest.mark.parametrize(
    ("directive", "element"),
    [
        ("script-src", '<script type="module">(.*?)</script>'),
        ("style-src", "<style>(.*?)</style>"),
    ],
)
def test_the_pages_policy_permits_its_own_script_and_style_and_no_other(directive, element):
    html = gantt_page(hostile_content())
    [policy] = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    [text] = re.findall(element, html, re.DOTALL)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    assert rules["default-src"] == "'none'"
    assert rules[directive] == f"'sha256-{digest}'"


def test_the_page_names_no_other_place():
    html = gantt_page(page_content(SUBJECT, [span(1)]))
    addresses = set(re.findall(r"""https?://[^"'\s]+""", html))
    assert addresses == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|url\(|<link|\bsrc=|\bhref=", html)
