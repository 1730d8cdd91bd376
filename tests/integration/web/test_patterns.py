"""Patterns, compared with the same computed over the rows in Python."""

from collections import Counter, defaultdict

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from storage.clickhouse.client import Clickhouse
from storage.clickhouse.sql import Where
from storage.query.logs import patterns as patterns_module
from storage.query.logs.patterns import masked
from storage.query.templates.merging import merged
from tests.integration.web.test_exploration import get, searches
from tests.integration.web.test_filters import holds, level
from tests.made_bodies import bodies, template_of

pytestmark = pytest.mark.integration


def patterns_of(texts):
    """The merged template of each body."""
    templates = [template_of(text) for text in texts]
    merged_templates = merged(templates)
    return [merged_templates[template] for template in templates]


def check_pattern(pattern, members):
    """Compare a pattern with the rows that belong to it."""
    times = sorted(row["Timestamp"] for row in members)
    assert pattern["count"] == len(members)
    assert pattern["by_severity"] == Counter(map(level, members))
    assert pattern["first_timestamp"].endswith(f"{times[0] % 10**9:09}Z")
    assert pattern["last_timestamp"].endswith(f"{times[-1] % 10**9:09}Z")
    assert pattern["example"] in {row["Body"] for row in members}


def collapsed(body):
    """The body cut off at 500 characters, with every digit as 0."""
    return body[:500].translate(str.maketrans("123456789", "000000000"))


def test_patterns_cluster_every_record_of_a_search(client, seeded, whole_range):
    for query in searches(whole_range, 2, 6):
        rows = [row for row in seeded if holds(row, query)]
        expected = defaultdict(list)
        for row, template in zip(rows, patterns_of(row["Body"] for row in rows), strict=True):
            expected[template].append(row)

        answer = get(client, "patterns", query)

        assert answer["total"] == answer["sampled_records"] == len(rows)
        assert answer["exact"]
        assert answer["templates"] == len(expected)
        assert answer["other"] == 0
        assert {pattern["template"] for pattern in answer["patterns"]} == set(expected)
        workspace = {"workspace_id": query.get("workspace_id", "default")}
        for pattern in answer["patterns"]:
            check_pattern(pattern, expected[pattern["template"]])
            path = f"/api/v1/logs/{pattern['example_id']}"
            log = client.get(path, query_string=workspace).get_json()["log"]
            assert log["body"] == pattern["example"]


def test_what_is_beyond_the_limit_is_counted_as_other(client, seeded, whole_range):
    templates = Counter(patterns_of(row["Body"] for row in seeded if holds(row, whole_range)))
    response = client.get("/api/v1/logs/patterns", query_string={**whole_range, "limit": 4})
    answer = response.get_json()
    counts = [pattern["count"] for pattern in answer["patterns"]]

    assert counts == [count for _, count in templates.most_common(4)]
    assert sum(counts) + answer["other"] == answer["total"] == templates.total()
    assert answer["templates"] == len(templates)
    assert sum(pattern["share"] for pattern in answer["patterns"]) < 1


@pytest.mark.parametrize(
    ("body", "template"),
    [
        ("took 12 ms, 3.5 s, -7 C", "took <num>, <num>, <num> C"),
        ("5 MB of 10 items in 3seconds", "<num> of <num> items in <num>seconds"),
        ("block blk_-6952295868487656571 of rdd_2_1", "block blk_<num> of rdd_<num>_<num>"),
        ("id 5f0c5a3e-93a3-4f3b-8c40-0a9a4c6f1f6e gone", "id <uuid> gone"),
        ("from 10.0.0.12:8080 to [2001:db8::ff00:42:8329]", "from <ip> to [<ip>]"),
        ("at 0x7ffe12, digest 9f86d081884c7d65", "at <hex>, digest <hex>"),
        ("user 'Anna' said \"hi\" and can't stay", "user <str> said <str> and can't stay"),
        ("open /var/log/app.log: no such file", "open <path>: no such file"),
        ("GET /login 200", "GET /login <num>"),
        ("GET https://example.org/a?b=1 failed", "GET <url> failed"),
        ("2026-07-14T03:33:20.123Z start 03:33:21", "<time> start <time>"),
        ("on Tue, Jul 14, 2026 10:20:30 CEST", "on <time>"),
        ('a "GET /a" of \'x y\' and "z"', "a \"GET /a\" of 'x y' and <str>"),
        ("decade facade 12-15", "decade facade <num>-<num>"),
    ],
)
def test_what_varies_in_a_body_is_masked(body, template):
    assert template_of(body) == template


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(bodies, min_size=1, max_size=30))
@example(["/a/b/c /d/e", "1.2.3.4.5.6", "a 'b' 'c'd'", "12345678 1234567a"])
def test_clickhouse_masks_as_the_expressions_say(clickhouse, texts):
    clause = Where()
    rows = clickhouse.query(
        f"SELECT {masked('text', clause.bind)}, text FROM (SELECT arrayJoin(%(texts)s) AS text)",
        {**clause.params, "texts": texts},
    )
    assert [template for template, _ in rows] == [template_of(text) for text in texts]


@given(st.lists(bodies))
def test_no_mask_tells_one_digit_from_another(texts):
    for text in texts:
        assert template_of(collapsed(text)) == template_of(text)


def some_lines(project_root):
    """Lines of real logs if there are, else of made ones."""
    samples = project_root.parent / "shared" / "data" / "loghub"
    lines = []
    for file in sorted(samples.glob("*.log")):
        lines += file.read_text("utf-8", "replace").splitlines()[:60]
    return lines or [f"{n:x} user {n * n} from 10.0.0.{n % 256}:{n}" for n in range(700)]


def test_real_lines_become_few_patterns(client, clickhouse, seeded, put_logs, project_root):
    lines = some_lines(project_root)
    first_ms = 1_784_900_000_000
    base = {**seeded[0], "WorkspaceId": "real-lines", "ChunkId": 77}
    rows = [
        {**base, "Body": line, "Timestamp": first_ms * 1_000_000 + n, "ChunkRow": n}
        for n, line in enumerate(lines)
    ]
    put_logs(clickhouse, rows)

    query = {
        "workspace_id": "real-lines",
        "start_time_ms": first_ms,
        "end_time_ms": first_ms + 1,
    }
    most = {**query, "limit": 1000}
    answer = client.get("/api/v1/logs/patterns", query_string=most).get_json()
    found = {pattern["template"]: pattern["count"] for pattern in answer["patterns"]}

    assert found == Counter(patterns_of(lines))
    assert answer["total"] == len(lines)
    assert answer["templates"] < len(set(lines)) * 0.8
    for pattern in answer["patterns"][:40]:
        histogram = get(client, "histogram", {**query, "q": pattern["q"]})
        assert histogram["total"] == pattern["count"], pattern["q"]


NAMES = ("anna", "ben", "carla", "dave", "emma", "finn", "gina")
LONG = "a document of " + "1 b " * 200


@pytest.fixture(scope="module")
def named(seeded, engine_settings, put_logs):
    """Parameters for records that differ in names, some of them at level ERROR."""
    first_ms = 1_785_000_000_000
    texts = [f"session of {name} from 10.0.0.{n} opened" for n in range(9) for name in NAMES]
    texts += [f"session of {name} is closed" for name in NAMES for _ in range(5)]
    texts += [f"{LONG}{n}" for n in range(3)] + ["session of anna", 'a "quoted" \\ text', ""]
    base = {**seeded[0], "WorkspaceId": "named", "ChunkId": 78, "SeverityText": ""}
    rows = [
        {
            **base,
            "Body": text,
            "Timestamp": first_ms * 1_000_000 + n,
            "ChunkRow": n,
            "SeverityNumber": 17 if n % 3 else 9,
        }
        for n, text in enumerate(texts)
    ]
    clickhouse = Clickhouse(engine_settings)
    put_logs(clickhouse, rows)
    clickhouse.close()
    return {"workspace_id": "named", "start_time_ms": first_ms, "end_time_ms": first_ms + 1}, rows


def test_patterns_that_differ_in_names_are_one(client, named):
    query, rows = named
    answer = get(client, "patterns", query)
    first, second, *others = answer["patterns"]
    assert first["template"] == "session of <*> from <ip> opened"
    assert second["template"] == "session of <*> is closed"
    assert len(others) == answer["templates"] - 2 == 4
    check_pattern(first, rows[: 9 * len(NAMES)])
    check_pattern(second, rows[9 * len(NAMES) : 14 * len(NAMES)])
    assert first["id"] != second["id"]

    errors = get(client, "patterns", {**query, "severity": "error", "limit": 1})
    assert errors["patterns"][0]["id"] == first["id"]
    assert errors["patterns"][0]["count"] < first["count"]
    assert errors["templates"] > 1


def test_the_query_of_a_pattern_finds_its_records_in_every_endpoint(client, named):
    query, _ = named
    for pattern in get(client, "patterns", query)["patterns"]:
        found = {**query, "q": pattern["q"]}
        logs = client.get("/api/v1/logs", query_string=found).get_json()
        assert logs["total_count"] == pattern["count"], pattern["q"]
        assert pattern["example"] in {log["body"][:2000] for log in logs["logs"]}
        for endpoint in ("histogram", "facets", "patterns"):
            assert get(client, endpoint, found)["total"] == pattern["count"]
        exported = client.get("/api/v1/logs/export", query_string=found)
        assert len(exported.text.splitlines()) == pattern["count"]
        named_field = {**query, "pattern": pattern["template"]}
        assert get(client, "histogram", named_field)["total"] == pattern["count"]

        others = {**query, "q": f"-{pattern['q']}"}
        total = get(client, "histogram", others)["total"] + pattern["count"]
        assert total == get(client, "histogram", query)["total"]


def test_templates_beyond_the_most_frequent_ones_count_as_other(client, named, monkeypatch):
    query, _ = named
    monkeypatch.setattr(patterns_module, "MOST_TEMPLATES", len(NAMES) + 1)
    answer = get(client, "patterns", query)
    counts = [pattern["count"] for pattern in answer["patterns"]]
    assert counts[0] > counts[1] > 0
    assert len(counts) == 2
    assert sum(counts) + answer["other"] == answer["total"]
    assert answer["other"] > 0
    assert answer["templates"] == 2 + len(NAMES) - 1 + 4
