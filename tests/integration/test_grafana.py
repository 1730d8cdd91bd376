"""Every query of Grafana's dashboards and of their page, run by the engine over stored records."""

import json
import re
import time

import pytest
import yaml

from storage.client import Clickhouse
from storage.rollups.buckets import IS_ERROR
from storage.severity import level_name

pytestmark = pytest.mark.integration

WORKSPACE = "grafana"
TRACE, RUN = "0af7651916cd43dd8448eb211c80319c", "nightly-42"
INTERVAL_S = 60

MACROS = {
    "timeFilter": lambda span, column: f"{column} >= {span[0]} AND {column} <= {span[1]}",
    "timeInterval": lambda _, column: (
        f"toStartOfInterval(toDateTime({column}), INTERVAL {INTERVAL_S} second)"
    ),
    "conditionalAll": lambda _, condition, variable: (
        "1=1" if VARIABLES[variable.removeprefix("$")] == "$__all" else condition
    ),
    "interval_s": lambda _: str(INTERVAL_S),
}
"""What Grafana's ClickHouse plugin puts in place of its macros."""

VARIABLES = {
    "workspace": WORKSPACE,
    "service": "$__all",
    "search": "",
    "run_id": "",
    "trace_id": TRACE,
}


def arguments(text, start):
    """The arguments in the parenthesis that opens at `start`, and where it ends."""
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


def expanded(sql, span):
    """The query as the plugin sends it; fails for a macro or variable that there is not."""
    while found := re.search(r"\$__(\w+)", sql):
        given, end = [], found.end()
        if sql[end : end + 1] == "(":
            given, end = arguments(sql, end)
        sql = sql[: found.start()] + MACROS[found[1]](span, *given) + sql[end:]
    quoted = re.sub(r"\$\{(\w+):singlequote\}", lambda variable: f"'{VARIABLES[variable[1]]}'", sql)
    assert "$" not in quoted
    return quoted.replace("%", "%%")


def dashboards(root):
    folder = root / "deploy" / "grafana" / "dashboards"
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def queries(root):
    """Every query of the dashboards, their variables and the page, by where it stands."""
    found = {}
    for name, dashboard in dashboards(root).items():
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                found[f"{name}: {panel['title']}"] = target["rawSql"]
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                found[f"{name}: variable {variable['name']}"] = variable["query"]["rawSql"]
    page = (root / "docs" / "grafana.md").read_text()
    for title, sql in re.findall(r"\*\*(.+?)\*\*[^`]*```sql\n(.*?)```", page, re.DOTALL):
        found[f"page: {title}"] = sql.replace("'default'", f"'{WORKSPACE}'")
    return found


def spans(now):
    """Two runs of a trace each; the later one has two spans, of which one failed."""
    common = {"WorkspaceId": WORKSPACE, "ServiceName": "shop", "Duration": 2_000_000}
    return [
        common
        | {
            "Timestamp": now - 120 * 10**9,
            "TraceId": "b" * 32,
            "SpanId": "1" * 16,
            "ParentSpanId": "",
            "SpanName": "earlier",
            "SpanKind": "Server",
            "StatusCode": "Ok",
            "SpanAttributes": {"run_id": "nightly-41"},
            "ResourceAttributes": {},
        },
        common
        | {
            "Timestamp": now - 60 * 10**9,
            "TraceId": TRACE,
            "SpanId": "2" * 16,
            "ParentSpanId": "",
            "SpanName": "GET /cart",
            "SpanKind": "Server",
            "StatusCode": "Unset",
            "SpanAttributes": {"http.route": "/cart"},
            "ResourceAttributes": {"run_id": RUN},
        },
        common
        | {
            "Timestamp": now - 59 * 10**9,
            "TraceId": TRACE,
            "SpanId": "3" * 16,
            "ParentSpanId": "2" * 16,
            "SpanName": "SELECT",
            "SpanKind": "Client",
            "StatusCode": "Error",
            "SpanAttributes": {},
            "ResourceAttributes": {},
        },
    ]


def put(clickhouse, table, rows):
    columns = ", ".join(rows[0])
    clickhouse.insert(
        f"INSERT INTO {table} ({columns}) VALUES", [tuple(row.values()) for row in rows]
    )


@pytest.fixture(scope="module")
def run(migrated):
    """Runs a query over records of all signals from the last minutes; rows by column name."""
    clickhouse = Clickhouse(migrated)
    now = time.time_ns()
    put(clickhouse, "otel_traces", spans(now))
    record = {"Timestamp": now - 60 * 10**9, "TraceId": TRACE, "SeverityText": "ERROR"}
    record |= {"Body": "out of stock", "ServiceName": "shop", "SeverityNumber": 17}
    put(clickhouse, "otel_logs", [record | {"WorkspaceId": WORKSPACE}])
    for kind in ("gauge", "sum", "histogram", "exponential_histogram", "summary"):
        point = {"TimeUnix": now - 60 * 10**9, "MetricName": "m", "WorkspaceId": WORKSPACE}
        put(clickhouse, f"otel_metrics_{kind}", [point])
    # As may happen at any time.
    for table in ("otel_logs", "otel_traces", "otel_metrics_gauge"):
        clickhouse.query(f"OPTIMIZE TABLE {table} FINAL")
    span = [f"toDateTime({now // 10**9 + offset})" for offset in (-3600, 60)]
    yield lambda sql: clickhouse.query_named(expanded(sql, span))
    clickhouse.close()


def test_every_query_of_the_dashboards_and_the_page_finds_the_records(project_root, run):
    found = queries(project_root)
    assert len([name for name in found if name.startswith("page")]) == 3
    for name, sql in found.items():
        assert run(sql), name


def test_a_signal_that_stopped_before_the_range_is_still_told(project_root, migrated):
    clickhouse = Clickhouse(migrated)
    stopped = time.time_ns() - 20 * 86_400 * 10**9
    workspace = {"WorkspaceId": "stopped"}
    put(clickhouse, "otel_logs", [workspace | {"Timestamp": stopped, "RetentionDays": 0}])
    put(clickhouse, "otel_traces", [workspace | {"Timestamp": stopped, "RetentionDays": 0}])
    sql = queries(project_root)["ingest: Newest record"]
    names = queries(project_root)["ingest: variable workspace"]
    span = ["now() - 3600", "now()"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(VARIABLES, "workspace", "stopped")
        rows = clickhouse.query_named(expanded(sql, span))
        listed = [row["WorkspaceId"] for row in clickhouse.query_named(expanded(names, span))]
    clickhouse.close()
    assert [(row["signal"], row["records"]) for row in rows] == [("logs", 0), ("spans", 0)]
    assert all(20 * 86_400 <= row["age"] < 21 * 86_400 for row in rows)
    assert "stopped" in listed


def test_the_dashboards_levels_are_those_of_the_api(project_root):
    found = queries(project_root)
    assert level_name() in found["logs: Records by level"]
    assert f"countIf({IS_ERROR})" in found["logs: Services"]


def test_the_page_tells_the_runs_apart(project_root, run):
    found = queries(project_root)
    assert [row["TraceId"] for row in run(found["page: All traces"])] == [TRACE, "b" * 32]
    [latest] = run(found["page: The latest run"])
    assert (latest["run_id"], latest["TraceId"]) == (RUN, TRACE)
    assert {row["spanID"] for row in run(found["page: One run"])} == {"2" * 16, "3" * 16}


def test_a_chosen_run_and_service_narrow_the_list_of_traces(project_root, run, monkeypatch):
    sql = queries(project_root)["traces: Traces"]
    [both] = [[row["trace"] for row in run(sql)]]
    monkeypatch.setitem(VARIABLES, "run_id", "nightly-41")
    assert [row["trace"] for row in run(sql)] == ["b" * 32]
    monkeypatch.setitem(VARIABLES, "service", "other")
    assert run(sql) == []
    assert both == [TRACE, "b" * 32]


def test_the_data_of_a_trace_have_the_columns_that_the_trace_view_reads(project_root, run):
    rows = run(queries(project_root)["traces: Trace $trace_id"])
    assert [row["operationName"] for row in rows] == ["GET /cart", "SELECT"]
    assert rows[0]["tags"] == [{"key": "http.route", "value": "/cart"}]
    assert (rows[1]["parentSpanID"], rows[1]["statusCode"], rows[1]["duration"]) == ("2" * 16, 2, 2)


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
        reads = len(re.findall(r"FROM otel_", sql))
        bound = len(re.findall(r"WorkspaceId = (?:\$\{workspace:singlequote\}|'grafana')", sql))
        assert bound == reads or name.endswith("variable workspace"), name
