"""Measures what durability costs: commits with APPENDFSYNC, inserts with FSYNC_PARTS, on and off.

Run it on the disk that will hold the data. Options:

    --folder PATH   folder for the servers' data (the system's temporary folder)
    --rounds N      turns of each setting (7)
    --records N     records per insert (100,000)
"""

import argparse
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from systems import free_port

from config.settings import Settings
from ledger import chunk
from ledger.chunk import Chunk, Header
from ledger.ledger import BrokerError, Entry, Ledger
from storage import decode
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import StorageError
from storage.clickhouse.insert import Inserter
from storage.decode import ChunkRows
from storage.schema.migrate import migrate

COMMITS = 100
CHUNK_RECORDS = 200


def requests(records: int) -> bytes:
    """An OTLP request with that many records of about 350 bytes."""
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    group.resource.attributes.add(key="service.name").value.string_value = "bench"
    scope = group.scope_logs.add()
    for number in range(records):
        record = scope.log_records.add(time_unix_nano=time.time_ns(), severity_number=9)
        record.body.string_value = f"request {number} of {secrets.token_hex(8)} was answered"
        for name in range(6):
            attribute = record.attributes.add(key=f"http.request.header.{name}")
            attribute.value.string_value = secrets.token_hex(8)
    return request.SerializeToString()


def entry(payload: bytes, compressed: bytes) -> Entry:
    """A new chunk."""
    header = Header(
        version=chunk.VERSION,
        id=chunk.new_id(),
        signal="logs",
        workspace_id="bench",
        client_id="bench",
        records=CHUNK_RECORDS,
        bytes=len(payload),
        received_at=time.time_ns(),
        retention_days=0,
    )
    return Entry(Chunk(header, compressed), (header.id,))


def commits(ledger: Ledger) -> float:
    """Seconds of a hundred commits, one after the other."""
    payload = requests(CHUNK_RECORDS)
    compressed = chunk.compress(payload)
    began = time.perf_counter()
    for _ in range(COMMITS):
        ledger.accept([entry(payload, compressed)])
    return time.perf_counter() - began


def insert(inserter: Inserter, payload: bytes) -> float:
    """Seconds of one insert of a full batch."""
    rows = ChunkRows(payload, "bench", "bench", secrets.randbits(64), time.time_ns(), 0)
    [table] = decode.decode("logs", [rows]).values()
    began = time.perf_counter()
    inserter.insert("otel_logs", table, secrets.token_hex(8))
    return time.perf_counter() - began


def start(stack: ExitStack, module: str, folder: Path, **settings: str) -> Settings:
    """Start an embedded server; returns the settings to reach it."""
    folder.mkdir()
    environment = os.environ | {"DATA_DIR": str(folder)} | settings
    process = subprocess.Popen([sys.executable, "-m", module], env=environment)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    values = {name.lower(): value for name, value in settings.items()}
    return Settings(data_dir=folder, **values)  # type: ignore[arg-type] # parsed from text


def until_it_answers(ask: object) -> None:
    """Wait for a server, a minute at most."""
    deadline = time.monotonic() + 60
    while True:
        try:
            ask()  # type: ignore[operator]
        except (BrokerError, StorageError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def show(name: str, seconds: dict[str, list[float]], base: str) -> None:
    """Print the medians and their ratio to the setting `base`."""
    normal = statistics.median(seconds[base])
    for setting, times in seconds.items():
        median = statistics.median(times)
        print(f"{name}={setting:9} {median * 1000:9.1f} ms  {median / normal:5.2f} x")


def main() -> None:
    """Measure in turns, so that other load on the machine affects all settings alike."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--records", type=int, default=100_000)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.folder)))
        ledgers, inserters = {}, {}
        for policy in ("everysec", "always"):
            settings = start(
                stack,
                "embedded.valkey",
                folder / policy,
                APPENDFSYNC=policy,
                VALKEY_PORT=str(free_port()),
            )
            ledgers[policy] = Ledger(settings)
            until_it_answers(ledgers[policy].ping)
        for fsync in ("false", "true"):
            settings = start(
                stack,
                "embedded",
                folder / fsync,
                FSYNC_PARTS=fsync,
                CLICKHOUSE_PORT=str(free_port()),
                CLICKHOUSE_HTTP_PORT=str(free_port()),
            )
            until_it_answers(Clickhouse(settings).ping)
            migrate(settings)
            inserters[fsync] = Inserter(settings)
        payload = requests(options.records)
        accepted: dict[str, list[float]] = {name: [] for name in ledgers}
        inserted: dict[str, list[float]] = {name: [] for name in inserters}
        for _ in range(options.rounds):
            for name, ledger in ledgers.items():
                accepted[name].append(commits(ledger))
            for name, inserter in inserters.items():
                inserted[name].append(insert(inserter, payload))
    print(f"{COMMITS} commits of {CHUNK_RECORDS} records; an insert of {options.records:,} records")
    show("APPENDFSYNC", accepted, "everysec")
    show("FSYNC_PARTS", inserted, "false")


if __name__ == "__main__":
    main()
