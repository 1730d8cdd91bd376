"""The engine runs every query of Grafana's dashboards and of their page over stored records."""

import json
import re
import time

import pytest
import yaml

from storage.clickhouse.client import Clickhouse
from storage.query.rollups.buckets import IS_ERROR
from storage.severity import level_name
from tests.blocks import checked_by

pytestmark = pytest.mark.integration

WORKSPACE = "grafana"
TRACE, RUN = "0af7651916cd43dd8448eb211c80319c", "nightly-42"
INTERVAL_S = 60


def time_filter(span, column):
    first, last = span
    return f"{column} >= {first} AND {column} <= {last}"


def time_interval(_span, column):
    return f"toStartOfInterval(toDateTime({column}), INTERVAL {INTERVAL_S} second)"


def conditional_all(_span, condition, variable):
    is_all = VARIABLES[variable.removeprefix("$")] == "$__all"
    return "1=1" if is_all else condition


def interval_s(_span):
    return str(INTERVAL_S)


MACROS = {
    "timeFilter": time_filter,
    "timeInterval": time_interval,
    "conditionalAll": conditional_all,
    "interval_s": interval_s,
}
"""What Grafana's ClickHouse plugin replaces its macros with."""

VARIABLES = {
    "workspace": WORKSPACE,
    "service": "$__all",
    "search": "",
    "run_id": "",
    "trace_id": TRACE,
}


def arguments(text, start):
    """The arguments in the parentheses that open at `start`, and the place after them."""
    depth, parts = 0, [""]
    for place in range(start, len(text)):
        sign = text[place]
        depth += (sign in "([") - (sign in ")]")
        if depth == 0:
            return [part.strip() for part in parts], place + 1
        if depth == 1 and sign == ",":
            parts.append("")
        elif place > start:
            parts[-1] += sign
    raise AssertionError(text)


def expanded(sql, time_range):
    """The query as the plugin sends it; fails for a macro or variable that is unknown."""
    while found := re.search(r"\$__(\w+)", sql):
        given, end = [], found.end()
        if sql[end : end + 1] == "(":
            given, end = arguments(sql, end)
        replacement = MACROS[found[1]](time_range, *given)
        sql = sql[: found.start()] + replacement + sql[end:]

    def quoted(variable):
        return f"'{VARIABLES[variable[1]]}'"

    sql = re.sub(r"\$\{(\w+):singlequote\}", quoted, sql)
    assert "$" not in sql
    return sql.replace("%", "%%")


def dashboards(root):
    folder = root / "deploy" / "grafana" / "dashboards"
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def queries(root):
    """Every query of the dashboards, their variables and the page, by name."""
    found = {}
    for name, dashboard in dashboards(root).items():
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                found[f"{name}: {panel['title']}"] = target["rawSql"]
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                found[f"{name}: variable {variable['name']}"] = variable["query"]["rawSql"]
    for block in checked_by("test_the_page_tells_the_runs_apart"):
        title = re.match(r"\*\*(.+?)\*\*", block.lead)[1]
        found[f"page: {title}"] = block.text.replace("'default'", f"'{WORKSPACE}'")
    return found


def spans(now):
    """Two runs of a trace each; the later one has two spans, of which one failed."""
    common = {
        "WorkspaceId": WORKSPACE,
        "ServiceName": "shop",
        "Duration": 2_000_000,
        "ParentSpanId": "",
        "SpanKind": "Server",
        "SpanAttributes": {},
        "ResourceAttributes": {},
    }
    earlier = common | {
        "Timestamp": now - 120 * 10**9,
        "TraceId": "b" * 32,
        "SpanId": "1" * 16,
        "SpanName": "earlier",
        "StatusCode": "Ok",
        "SpanAttributes": {"run_id": "nightly-41"},
    }
    root = common | {
        "Timestamp": now - 60 * 10**9,
        "TraceId": TRACE,
        "SpanId": "2" * 16,
        "SpanName": "GET /cart",
        "StatusCode": "Unset",
        "SpanAttributes": {"http.route": "/cart"},
        "ResourceAttributes": {"run_id": RUN},
    }
    child = common | {
        "Timestamp": now - 59 * 10**9,
        "TraceId": TRACE,
        "SpanId": "3" * 16,
        "ParentSpanId": "2" * 16,
        "SpanName": "SELECT",
        "SpanKind": "Client",
        "StatusCode": "Error",
    }
    return [earlier, root, child]


def put(clickhouse, table, rows):
    columns = ", ".join(rows[0])
    values = [tuple(row.values()) for row in rows]
    clickhouse.insert(f"INSERT INTO {table} ({columns}) VALUES", values)


@pytest.fixture(scope="module")
def run(migrated):
    """Run a query over records of all signals from the last minutes; rows by column name."""
    clickhouse = Clickhouse(migrated)
    now = time.time_ns()
    minute_ago = now - 60 * 10**9
    record = {
        "Timestamp": minute_ago,
        "TraceId": TRACE,
        "SeverityText": "ERROR",
        "SeverityNumber": 17,
        "Body": "out of stock",
        "ServiceName": "shop",
        "WorkspaceId": WORKSPACE,
    }
    point = {"TimeUnix": minute_ago, "MetricName": "m", "WorkspaceId": WORKSPACE}
    put(clickhouse, "otel_traces", spans(now))
    put(clickhouse, "otel_logs", [record])
    for kind in ("gauge", "sum", "histogram", "exponential_histogram", "summary"):
        put(clickhouse, f"otel_metrics_{kind}", [point])
    # ClickHouse may merge at any time.
    for table in ("otel_logs", "otel_traces", "otel_metrics_gauge"):
        clickhouse.query(f"OPTIMIZE TABLE {table} FINAL")

    now_s = now // 10**9
    time_range = [f"toDateTime({now_s - 3600})", f"toDateTime({now_s + 60})"]

    def query(sql):
        return clickhouse.query_named(expanded(sql, time_range))

    yield query
    clickhouse.close()


def test_every_query_of_the_dashboards_and_the_page_finds_the_records(project_root, run):
    found = queries(project_root)
    assert len([name for name in found if name.startswith("page")]) == 3
    for name, sql in found.items():
        assert run(sql), name


def test_a_signal_that_stopped_before_the_range_is_still_told(project_root, migrated):
    clickhouse = Clickhouse(migrated)
    twenty_days_s = 20 * 86_400
    stopped = {
        "WorkspaceId": "stopped",
        "Timestamp": time.time_ns() - twenty_days_s * 10**9,
        "RetentionDays": 0,
    }
    put(clickhouse, "otel_logs", [stopped])
    put(clickhouse, "otel_traces", [stopped])
    newest = queries(project_root)["ingest: Newest record"]
    workspaces = queries(project_root)["ingest: variable workspace"]
    last_hour = ["now() - 3600", "now()"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(VARIABLES, "workspace", "stopped")
        rows = clickhouse.query_named(expanded(newest, last_hour))
        listed = clickhouse.query_named(expanded(workspaces, last_hour))
    clickhouse.close()

    assert [(row["signal"], row["records"]) for row in rows] == [("logs", 0), ("spans", 0)]
    assert all(twenty_days_s <= row["age"] < twenty_days_s + 86_400 for row in rows)
    assert "stopped" in {row["WorkspaceId"] for row in listed}


def test_the_dashboards_levels_are_those_of_the_api(project_root):
    found = queries(project_root)
    assert level_name() in found["logs: Records by level"]
    assert f"countIf({IS_ERROR})" in found["logs: Services"]


def test_the_page_tells_the_runs_apart(project_root, run):
    found = queries(project_root)
    traces = run(found["page: All traces"])
    [latest] = run(found["page: The latest run"])
    spans_of_run = run(found["page: One run"])

    assert [row["TraceId"] for row in traces] == [TRACE, "b" * 32]
    assert (latest["run_id"], latest["TraceId"]) == (RUN, TRACE)
    assert {row["spanID"] for row in spans_of_run} == {"2" * 16, "3" * 16}


def test_a_chosen_run_and_service_narrow_the_list_of_traces(project_root, run, monkeypatch):
    sql = queries(project_root)["traces: Traces"]

    def traces():
        return [row["trace"] for row in run(sql)]

    assert traces() == [TRACE, "b" * 32]

    monkeypatch.setitem(VARIABLES, "run_id", "nightly-41")
    assert traces() == ["b" * 32]

    monkeypatch.setitem(VARIABLES, "service", "other")
    assert run(sql) == []


def test_the_data_of_a_trace_have_the_columns_that_the_trace_view_reads(project_root, run):
    root, child = run(queries(project_root)["traces: Trace $trace_id"])
    assert [root["operationName"], child["operationName"]] == ["GET /cart", "SELECT"]
    assert root["tags"] == [{"key": "http.route", "value": "/cart"}]
    assert child["parentSpanID"] == "2" * 16
    # An error, of two milliseconds.
    assert (child["statusCode"], child["duration"]) == (2, 2)


def test_every_panel_reads_the_provisioned_data_source_with_a_known_format(project_root):
    path = project_root / "deploy/grafana/provisioning/datasources/sheaf.yaml"
    [source] = yaml.safe_load(path.read_text())["datasources"]
    expected = {"type": source["type"], "uid": source["uid"]}
    formats = {"timeseries": 0, "table": 1, "logs": 2, "traces": 3}

    for dashboard in dashboards(project_root).values():
        assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
        for panel in dashboard["panels"]:
            [target] = panel["targets"]
            assert panel["datasource"] == target["datasource"] == expected
            assert target["format"] == formats[panel["type"]]


def test_every_query_of_tables_with_tenants_is_bound_to_a_workspace(project_root):
    for name, sql in queries(project_root).items():
        reads = re.findall(r"FROM otel_", sql)
        bound = re.findall(r"WorkspaceId = (?:\$\{workspace:singlequote\}|'grafana')", sql)
        assert len(bound) == len(reads) or name.endswith("variable workspace"), name
