"""Records of every kind in two workspaces, one of which has two clients, each with its own mark."""

from dataclasses import dataclass, field

from access.store import Grant
from ledger.ledger import Entry
from tests.integration.made_logs import new_chunk
from tests.integration.made_metrics import Stream, exemplar, numbers, put_metrics
from tests.integration.made_traces import START_NS, MadeSpan, put

TRACE = 77
"""All have spans and log records of this trace."""


@dataclass
class Party:
    """A client of a workspace; its mark is in all texts of its records."""

    workspace: str
    client: str
    mark: str
    ids: dict[str, str] = field(default_factory=dict)
    """Ids of what it has, by the names of the API's path parameters."""


ONE = Party("north", "one", "mark-kqzvb")
TWO = Party("north", "two", "mark-wjxyp")
OTHER = Party("south", "one", "mark-hgfdz")
PARTIES = (ONE, TWO, OTHER)


def fill(worker, put_logs, party):
    """Store log records, spans, data points and a dead letter of a party."""
    settings, mark, number = worker.settings, party.mark, PARTIES.index(party)
    put_logs(worker.clickhouse, [_log(party, number, row) for row in range(5)])
    span = {"trace": TRACE, "attributes": {"run_id": "nightly", "text": mark}}
    # Called by the next party, whose name must not show.
    caller = 10 * ((number + 1) % len(PARTIES)) + 1
    spans = [
        MadeSpan(id=10 * number + 1, parent=caller, service=f"{mark}-a", name=mark, **span),
        MadeSpan(id=10 * number + 2, parent=10 * number + 1, service=f"{mark}-b", kind=3, **span),
    ]
    put(settings, party.workspace, spans, party.client)
    points = numbers((0, 1.0), (60, 2.0), start=-60)
    points[0]["exemplars"] = [exemplar(0, 1.0, TRACE, {"text": mark})]
    stream = Stream(points=points, attributes={"text": mark}, description=mark)
    put_metrics(settings, party.workspace, stream, client=party.client)
    place = {"workspace": party.workspace, "client": party.client}
    chunk = new_chunk(mark.encode() + b"\xff", 3, **place)
    worker.ledger.accept([Entry(chunk, (f"leaks-{number}",))])
    worker.ledger.dead_letter(worker.ledger.seal(), chunk.header.id, f"refused because of {mark}")
    party.ids |= {
        "chunk_id": chunk.header.id,
        "trace_id": spans[0].trace_id,
        "customer_id": f"customer-{number}",
    }


def grant_of(party, *scopes, client=""):
    """A key's grant, whose name has the mark."""
    return Grant(scopes, party.mark, party.workspace, client)


def _log(party, number, row):
    return {
        "Timestamp": START_NS + row * 10**9,
        "TraceId": f"{TRACE:032x}",
        "SpanId": f"{1:016x}",
        "SeverityText": "INFO",
        "SeverityNumber": 9,
        "ServiceName": f"{party.mark}-a",
        "Body": f"hello {party.mark} {row}",
        "ResourceAttributes": {"text": party.mark},
        "ScopeName": party.mark,
        "LogAttributes": {
            "customer.id": f"customer-{number}",
            "text": party.mark,
            "http.response.status_code": "200",
            "http.server.request.duration": "0.5",
        },
        "WorkspaceId": party.workspace,
        "ClientId": party.client,
        "ServiceVersion": "1",
        "Endpoint": f"/{party.mark}",
        "ChunkId": 6_666_000 + number,
        "ChunkRow": row,
        "RetentionDays": 0,
    }
