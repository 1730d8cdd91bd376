"""What Sheaf writes to disk for each record at a steady, low rate, by process and by cause.

Log records of some 300 bytes with 14 attributes, random ids and values, in requests of 500.

    --seconds N   how long records are sent (300)
    --rate N      records a second (2,000)

Bytes are those that processes hand to the disk: whole pages of 4 KiB, without what they deleted
before the kernel wrote it. Bytes of parts are those of their files. A part whose level is 0 was
inserted, the others were merged.
"""

import argparse
import contextlib
import math
import re
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import psutil
from grpc_load import EXPORT
from otlp_requests import make
from sizing import REQUEST, Sized
from systems import wait_until

_PAGE = 4096
_TURN = 20
"""Requests made at a time: so many services take turns."""

_PARTS = (
    "SELECT table, name, level, bytes_on_disk, path FROM system.parts WHERE database = 'default'"
)


@dataclass(frozen=True)
class Written:
    """Bytes that one process has written so far."""

    disk: int
    cancelled: int
    """Of `disk`, what was deleted before it was written."""


@dataclass(frozen=True)
class Part:
    """A part of a table."""

    level: int
    size: int
    """Bytes of its files."""
    pages: int
    """Bytes of the pages that they take."""


class Parts(threading.Thread):
    """Notes each part that appears, until it is stopped; parts that were merged are soon gone."""

    def __init__(self, system: Sized) -> None:
        super().__init__(daemon=True)
        self._system = system
        self._over = threading.Event()
        self.seen: dict[tuple[str, str], Part] = {}
        """By table and name."""
        self.look()

    def run(self) -> None:
        """Look often."""
        while not self._over.wait(0.25):
            self.look()

    def stop(self) -> None:
        """Look a last time, and end."""
        self._over.set()
        self.join()
        self.look()

    def look(self) -> None:
        """Note the parts that are there now."""
        for line in filter(None, self._system.ask(_PARTS).splitlines()):
            table, name, level, size, path = line.split("\t")
            if (table, name) not in self.seen:
                with contextlib.suppress(OSError):
                    self.seen[table, name] = Part(int(level), int(size), _pages(Path(path)))

    def stored(self) -> int:
        """Bytes of all parts that are read now."""
        return int(self._system.ask("SELECT sum(bytes_on_disk) FROM system.parts WHERE active"))


def _pages(folder: Path) -> int:
    sizes = [entry.stat().st_size for entry in folder.iterdir()]
    return sum(math.ceil(size / _PAGE) * _PAGE for size in sizes)


def written(system: Sized) -> dict[str, Written]:
    """What each part of Sheaf has written so far."""
    found: dict[str, Written] = {}
    for part, process in system.processes():
        with contextlib.suppress(psutil.NoSuchProcess, OSError):
            text = Path(f"/proc/{process.pid}/io").read_text()
            values = {name: int(value) for name, value in re.findall(r"(\w+): (\d+)", text)}
            one = found.get(part, Written(0, 0))
            found[part] = Written(
                one.disk + values["write_bytes"], one.cancelled + values["cancelled_write_bytes"]
            )
    return found


def send(system: Sized, seconds: float, rate: int) -> int:
    """Send requests at a steady rate; returns the number of records."""
    sent, start = 0, time.monotonic()
    with grpc.insecure_channel(f"127.0.0.1:{system.grpc_port}") as channel:
        export = channel.unary_unary(EXPORT)
        while sent < seconds * rate:
            for body in make(_TURN, REQUEST, seed=sent // REQUEST // _TURN, scattered=True):
                time.sleep(max(0.0, start + sent / rate - time.monotonic()))
                export(body, timeout=60)
                sent += REQUEST
    return sent


def appended(folder: Path) -> Counter[str]:
    """Bytes in the broker's append-only file, by what they are about."""
    found: Counter[str] = Counter()
    for path in folder.glob("appendonlydir/*.incr.aof"):
        for size, words in _commands(path.read_bytes()):
            found[_cause(words)] += size
    return found


def _cause(words: list[bytes]) -> str:
    key = words[1] if len(words) > 1 else b""
    if key.startswith(b"sheaf:chunk:") and words[0].upper() == b"HSET":
        return "chunks"
    for prefix, cause in (
        (b"sheaf:request:", "requests, against repetition"),
        (b"sheaf:stored:", "receipts"),
        (b"sheaf:", "other keys of the ledger"),
        (b"", "Celery"),
    ):
        if key.startswith(prefix):
            return cause
    raise AssertionError


def _commands(data: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """The commands of an append-only file, with their sizes."""
    at = 0
    while at < len(data):
        start = at
        end = data.index(b"\r\n", at)
        if data[at : at + 1] != b"*":  # a comment, such as a timestamp
            at = end + 2
            continue
        count, at, words = int(data[at + 1 : end]), end + 2, []
        for _ in range(count):
            end = data.index(b"\r\n", at)
            size = int(data[at + 1 : end])
            words.append(data[end + 2 : end + 2 + size])
            at = end + 2 + size + 2
        yield at - start, words


def measure(system: Sized, seconds: float, rate: int) -> None:
    """Send, and print the tables."""
    ledger = system.folder / "data" / "valkey"
    before, parts, there = written(system), Parts(system), appended(ledger)
    old = set(parts.seen)
    parts.start()
    records = send(system, seconds, rate)
    wait_until(lambda: system.rows() >= records, "the rows")
    system.calm()
    parts.stop()
    after, stored = written(system), parts.stored()
    print(f"{records:,} log records at {rate:,}/s, {stored / records:.1f} bytes stored for each")
    _show_processes(before, after, records, stored)
    new = {name: part for name, part in parts.seen.items() if name not in old}
    _show_parts(new, records)
    print("\n| appended by the broker for | bytes a record |\n|---|---|")
    for cause, size in (appended(ledger) - there).most_common():
        print(f"| {cause} | {size / records:,.1f} |")
    rewrites = system.broker.info("persistence")["aof_rewrites"]
    print(f"\nThe append-only file was rewritten {rewrites} times.")


def _show_processes(
    before: dict[str, Written], after: dict[str, Written], records: int, stored: int
) -> None:
    print("\n| written by | bytes a record | deleted before the disk had them |\n|---|---|---|")
    disk, cancelled = 0, 0
    for part, now in after.items():
        was = before.get(part, Written(0, 0))
        more, less = now.disk - was.disk, now.cancelled - was.cancelled
        disk, cancelled = disk + more, cancelled + less
        print(f"| {part} | {more / records:,.1f} | {less / records:,.1f} |")
    print(f"| all | {disk / records:,.1f} | {cancelled / records:,.1f} |")
    print(f"| times what is stored | {disk / stored:.1f} | {cancelled / stored:.1f} |")


def _show_parts(seen: dict[tuple[str, str], Part], records: int) -> None:
    print("\n| files of parts of | bytes a record | in whole pages | parts |\n|---|---|---|---|")
    made: dict[str, list[Part]] = {"all tables": list(seen.values())}
    for (table, _), part in sorted(seen.items(), key=lambda each: (each[0][0], each[1].level)):
        how = f"merged, level {part.level}" if part.level else "inserted"
        made.setdefault(f"{table}, {how}", []).append(part)
    for what, parts in made.items():
        size, pages = sum(part.size for part in parts), sum(part.pages for part in parts)
        print(f"| {what} | {size / records:,.1f} | {pages / records:,.1f} | {len(parts):,} |")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--rate", type=int, default=2_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        system = Sized(Path(folder))
        try:
            measure(system, options.seconds, options.rate)
        finally:
            system.stop()


if __name__ == "__main__":
    main()
