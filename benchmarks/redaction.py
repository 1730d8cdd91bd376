"""Measures redaction of decoded log records, by rules.

Prints a line per set of rules, in microseconds of CPU per record, the best of several runs. The
records are those of `decode.py`: six attributes, eight resource attributes, bodies of 60 bytes. One
in a hundred has an e-mail address, a card number and a password.

    python benchmarks/redaction.py [runs [share]]

`share` is the part of the million records to make; default: 1.
"""

import random
from collections import Counter
from dataclasses import replace
from functools import partial

import pyarrow as pa
from decode import SHAPES, attribute, chunk
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from tables import arguments, best

from storage.decode import ChunkRows, decode
from storage.redaction.rows import redact
from storage.redaction.rules import Redactor, Rule

CHUNKS = 100
"""Of 1,000 records each; a batch. Ten batches are a million records."""

BATCHES = 10

SETS = {
    "an attribute": (Rule("drop", attribute="password"),),
    "card": (Rule("mask", preset="card"),),
    "e-mail": (Rule("hash", preset="email"),),
    "an attribute, card, e-mail": (
        Rule("drop", attribute="password"),
        Rule("mask", preset="card"),
        Rule("hash", preset="email"),
    ),
    "card, e-mail, token": tuple(Rule("mask", preset=name) for name in ("card", "email", "token")),
    "hash of the address in each record": (Rule("hash", preset="ip"),),
    "hash of the user in each record": (Rule("hash", attribute="user.id"),),
}


def with_secrets(rows: ChunkRows) -> ChunkRows:
    """Put secrets into every hundredth record of a chunk."""
    source = random.Random(rows.chunk_id)  # noqa: S311 - made records, no secrets
    request = ExportLogsServiceRequest.FromString(rows.payload)
    for record in request.resource_logs[0].scope_logs[0].log_records[::100]:
        number = source.randrange(10**6)
        record.body.string_value += f" for u{number}@example.com with 4111 1111 1111 1111"
        record.attributes.append(attribute("password", string_value=f"secret-{number}"))
    return replace(rows, payload=request.SerializeToString())


def batch(number: int, chunks: int) -> pa.RecordBatch:
    """Return the decoded rows of a batch."""
    seeds = range(number * chunks, (number + 1) * chunks)
    return decode("logs", [with_secrets(chunk(SHAPES[0], seed)) for seed in seeds])["otel_logs"]


def _always(redactor: Redactor, _workspace_id: str) -> Redactor:
    return redactor


def main() -> None:
    """Measure all sets of rules, batch by batch."""
    runs, share = arguments()
    chunks = int(CHUNKS * share) or 1
    taken: Counter[str] = Counter()
    for number in range(BATCHES):
        tables = {"otel_logs": batch(number, chunks)}
        for name, rules in SETS.items():
            redactor_of = partial(_always, Redactor(rules, b"secret"))
            taken[name] += best(runs, partial(redact, tables, redactor_of))
    records = BATCHES * chunks * SHAPES[0].records
    print(f"µs of CPU a record, of {records:,}")
    for name, seconds in taken.items():
        print(f"{name:<38}{seconds * 1e6 / records:>8.2f}", flush=True)


if __name__ == "__main__":
    main()
