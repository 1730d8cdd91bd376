"""The tree keeps every span once, whatever is wrong with the ids."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from storage.query.traces.summary import summary_of
from storage.query.traces.tree import depth_first


def span(span_id, parent="", start=0, trace="t", **more):
    return {
        "trace_id": trace,
        "span_id": span_id,
        "parent_span_id": parent,
        "start_ns": start,
        "duration_ns": 1,
        "name": f"span {span_id}",
        "service_name": "shop",
        "status_code": "Unset",
        **more,
    }


def outline(spans):
    """Each span's id, depth and damage, in the order of the tree."""
    return [(node.span["span_id"], node.depth, node.damage) for node in depth_first(spans)]


ids = st.sampled_from(["", "a", "b", "c", "d", "e"])
forests = st.lists(
    st.builds(
        span, ids, parent=ids, start=st.integers(0, 3), trace=st.sampled_from(["t", "t", "u"])
    ),
    max_size=14,
)


@given(forests)
def test_any_spans_with_any_damage_are_kept_exactly_once(spans):
    kept = Counter(id(node.span) for node in depth_first(spans))
    assert kept == Counter(id(each) for each in spans)


@given(forests)
def test_a_child_follows_its_parent_one_level_deeper(spans):
    ancestors = []
    for node in depth_first(spans):
        assert 0 <= node.depth <= len(ancestors)
        del ancestors[node.depth :]
        if node.depth:
            parent = ancestors[-1]
            assert parent["span_id"] == node.span["parent_span_id"]
            assert parent["trace_id"] == node.span["trace_id"]
        ancestors.append(node.span)


@given(forests)
def test_children_are_the_spans_one_level_deeper_by_start(spans):
    nodes = depth_first(spans)

    # A span's children by depth alone, to compare with those that the node lists.
    below = {id(node.span): [] for node in nodes}
    roots, ancestors = [], []
    for node in nodes:
        del ancestors[node.depth :]
        siblings = below[id(ancestors[-1])] if ancestors else roots
        siblings.append(node.span)
        ancestors.append(node.span)

    for node in nodes:
        listed = [id(each) for each in node.children]
        assert listed == [id(each) for each in below[id(node.span)]]
    for siblings in (roots, *below.values()):
        assert siblings == sorted(siblings, key=lambda each: (each["start_ns"], each["span_id"]))


@given(forests)
def test_a_root_says_why_if_it_names_a_parent(spans):
    known = {(each["trace_id"], each["span_id"]) for each in spans}

    for node in depth_first(spans):
        parent_id = node.span["parent_span_id"]
        names_parent = parent_id != ""
        parent_is_missing = (node.span["trace_id"], parent_id) not in known
        assert (node.damage == "orphan") == (names_parent and parent_is_missing)
        if node.depth == 0 and names_parent:
            assert node.damage in {"orphan", "cycle"}
        if node.damage in {"orphan", "cycle"}:
            assert node.depth == 0


@given(forests)
def test_the_order_of_arrival_does_not_matter(spans):
    distinct = {(each["span_id"], each["start_ns"], each["trace_id"]): each for each in spans}
    starts_apart = [each | {"start_ns": place} for place, each in enumerate(distinct.values())]

    assert outline(starts_apart) == outline(starts_apart[::-1])


def test_siblings_come_by_start_and_before_later_roots():
    spans = [
        span("late", start=9),
        span("root", start=1),
        span("second", "root", start=5),
        span("first", "root", start=4),
        span("grandchild", "first", start=7),
    ]

    assert outline(spans) == [
        ("root", 0, ""),
        ("first", 1, ""),
        ("grandchild", 2, ""),
        ("second", 1, ""),
        ("late", 0, ""),
    ]


def test_a_span_whose_parent_is_missing_is_a_root_with_its_children():
    spans = [span("child", "orphan", start=2), span("orphan", "lost", start=1)]
    assert outline(spans) == [("orphan", 0, "orphan"), ("child", 1, "")]


def test_a_cycle_is_cut_at_its_first_span():
    spans = [
        span("a", "c", start=2),
        span("b", "a", start=1),
        span("c", "b", start=3),
        span("tail", "a", start=4),
        span("self", "self", start=5),
    ]

    assert outline(spans) == [
        ("b", 0, "cycle"),
        ("c", 1, ""),
        ("a", 2, ""),
        ("tail", 3, ""),
        ("self", 0, "cycle"),
    ]


def test_the_first_of_several_spans_with_an_id_has_the_children():
    spans = [
        span("root"),
        span("twin", "root", start=2, name="second"),
        span("twin", "root", start=1, name="first"),
        span("child", "twin", start=3),
    ]

    assert outline(spans) == [
        ("root", 0, ""),
        ("twin", 1, ""),
        ("child", 2, ""),
        ("twin", 1, "duplicate"),
    ]
    assert depth_first(spans)[1].span["name"] == "first"


def test_a_server_span_that_shares_its_clients_id_is_below_it():
    spans = [span("a", start=1), span("a", "a", start=2), span("b", "a", start=3)]
    assert outline(spans) == [("a", 0, ""), ("a", 1, "duplicate"), ("b", 1, "")]


def test_ids_count_within_their_trace():
    spans = [span("a", trace="t"), span("b", "a", trace="u", start=1)]
    assert outline(spans) == [("a", 0, ""), ("b", 0, "orphan")]


def test_a_chain_of_many_thousand_levels_is_no_problem():
    levels = 50_000
    chain = [span("0")]
    chain += [span(str(level), str(level - 1), start=level) for level in range(1, levels)]

    nodes = depth_first(chain[::-1])

    assert [node.depth for node in nodes] == list(range(levels))


def test_no_spans_are_no_tree():
    assert depth_first([]) == []


def test_a_summary_names_the_first_span_without_a_parent():
    spans = [
        span("a", "x", start=1, duration_ns=9, service_name="db", status_code="Error"),
        span("c", start=4, name="second root"),
        span("b", start=3, name="root", service_name="shop"),
    ]

    summary = summary_of(spans)

    assert (summary.root_name, summary.root_service) == ("root", "shop")
    assert summary.root_missing is False
    assert (summary.start_ns, summary.duration_ns, summary.span_count) == (1, 9, 3)
    assert (summary.error_count, summary.services) == (1, ["db", "shop"])


def test_a_summary_of_a_trace_without_root_names_the_first_span_and_says_so():
    spans = [span("b", "x", start=2), span("a", "x", start=1, name="first")]
    summary = summary_of(spans)
    assert (summary.root_name, summary.root_missing) == ("first", True)
