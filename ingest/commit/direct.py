"""Direct inserts: while the broker is away or full, the door writes to ClickHouse itself."""

from __future__ import annotations

import datetime as dt
import secrets
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import structlog

from config.units import NS_PER_S
from ingest.commit.memory import Memory
from ingest.status import unavailable
from ledger.chunk import row_id
from ledger.live import LivePublisher
from storage import decode
from storage.clickhouse.errors import OutcomeUnknownError, StorageError
from storage.decode import ChunkRows
from storage.decode.attribute_limits import limit_attributes
from storage.lifecycle import presence, usage
from storage.lifecycle.direct_requests import DirectRequest, DirectRequests
from storage.lifecycle.usage import Usage
from storage.query.rollups.marks import Marker
from storage.redaction.rows import redact

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from config.settings import Settings
    from ingest.commit.group import Group
    from ingest.commit.unreported import Unreported
    from ingest.convert.piece import Piece
    from ledger.limits import LimitView
    from ledger.redaction import RedactionView
    from ledger.retention import RetentionView
    from storage.clickhouse.client import Clickhouse
    from storage.clickhouse.insert import Inserter

log = structlog.get_logger(__name__)

_QUEUED = 4


class Policies(NamedTuple):
    """What workspaces have set for their records."""

    retention: RetentionView
    redaction: RedactionView
    limits: LimitView


class Seen(NamedTuple):
    """A request that may be in ClickHouse."""

    at_ns: int
    """When it first arrived, in Unix nanoseconds."""
    body: str = ""
    """Digest of its body, if it is identified by a key."""


class DirectPath:
    """Inserts groups of pieces, a limited number at a time.

    The `ChunkId` of a piece's rows is the low half of its request id, and every insert first checks
    which rows exist: a retry is stored once, directly or through the broker.
    """

    def __init__(
        self,
        settings: Settings,
        clickhouse: Clickhouse,
        inserter: Inserter,
        unreported: Unreported,
        policies: Policies,
    ) -> None:
        """Insert at most `DIRECT_INSERTS` groups at a time, and report them with `unreported`."""
        self.retention = policies.retention
        """How long records are kept, stored directly or not."""
        self._max_inserts = settings.direct_inserts
        self._clickhouse = clickhouse
        self._inserter = inserter
        self._requests = DirectRequests(clickhouse)
        self.unreported = unreported
        """What is not yet reported to the ledger."""
        self._window = settings.request_window
        self._marker = Marker(clickhouse, settings)
        self._redaction = policies.redaction
        self._limits = policies.limits
        self._live = LivePublisher(settings)
        self._begin_seconds = settings.lease_margin
        self._pool = ThreadPoolExecutor(max(1, self._max_inserts), thread_name_prefix="direct")
        self._room = threading.BoundedSemaphore(max(1, self._max_inserts * _QUEUED))
        self._stopping = threading.Event()
        self.busy: set[str] = set()
        """Requests with a running insert, whose rows cannot be counted yet."""
        self.seen: Memory[Seen] = Memory(settings.request_window)
        """Requests that this door has stored directly, or may have.

        Records without a time got the time of their first arrival, and every later check and
        attempt must use the same.
        """
        self.done: Memory[None] = Memory(settings.request_window)
        """Those of them that were acknowledged."""

    def store(self, group: Group, *, full: bool = False, why: str = "") -> None:
        """Store a group in the background, then answer its requests.

        Args:
            group: what to store.
            full: the broker is full but reachable, so the ledger is notified before the clients.
            why: why the broker does not take it; for clients that must come back.
        """
        if not self._max_inserts or not self._room.acquire(blocking=False):
            text = why or "the broker is not available"
            group.fail_all(unavailable(f"{text}; try again", retry_after=2))
            return
        request_ids = [piece.request_id for piece in group.pieces]
        self.busy.update(request_ids)
        self._pool.submit(self._store, group, request_ids, full=full)

    def stop(self) -> None:
        """Finish the inserts that were started."""
        self._stopping.set()
        self._pool.shutdown(wait=True)
        self._live.close()

    def _store(self, group: Group, request_ids: Sequence[str], *, full: bool) -> None:
        query_id = f"sheaf-direct-{secrets.token_hex(8)}"
        try:
            self._redaction.check_known()
            self._place_known(group, request_ids)
            for kind in dict.fromkeys(map(_kind, group.pieces)):
                self._insert([p for p in group.pieces if _kind(p) == kind], *kind, query_id)
            usage.record(self._clickhouse, map(self._usage, group.pieces))
        except OutcomeUnknownError as error:
            log.warning("direct: outcome unknown", error=str(error))
            group.fail_all(unavailable("ClickHouse did not answer; repeat the same request", 2))
            self._end(query_id)
        except StorageError as error:
            log.warning("direct: not stored", error=str(error))
            group.fail_all(unavailable("neither the broker nor ClickHouse accepts it", 2))
        except Exception:  # noqa: BLE001 - logged
            self._log_failure(group)
            group.fail_all(unavailable("internal error; try again"))
        else:
            self._stored(group, full=full)
        finally:
            self.unreported.answer(group, at_once=full)
            self.busy.difference_update(request_ids)
            self._room.release()

    def _log_failure(self, group: Group) -> None:
        # The error's text may quote a record.
        workspaces = (piece.tenant.workspace_id for piece in group.pieces)
        shown = self._redaction.text(workspaces, traceback.format_exc())
        log.error("direct: failed", exception=shown)

    def _place_known(self, group: Group, request_ids: Sequence[str]) -> None:
        """Place requests that another door stored, or this one before a restart."""
        since = time.time() - self._window
        for known in self._requests.known(request_ids, since):
            group.repeat(known.id, known.id, known.body, "db")

    def _stored(self, group: Group, *, full: bool) -> None:
        now = time.time()
        stored = [
            DirectRequest(piece.request_id, piece.records, now, piece.body)
            for piece in group.pieces
        ]
        self.unreported.add(stored)
        if not (full and self.unreported.report()):
            self._note(stored)
        for each in stored:
            self.done.add(each.id)
            group.place(each.id, each.id, "db")

    def _note(self, stored: Sequence[DirectRequest]) -> None:
        """Note them in ClickHouse, where they outlive this door."""
        try:
            self._requests.add(stored)
        except StorageError as error:
            # They are stored nevertheless, and this door knows them.
            log.warning("direct: not noted in ClickHouse", error=str(error))

    def _end(self, query_id: str) -> None:
        """Wait until no insert with this id is running, even while ClickHouse is away."""
        while True:
            try:
                presence.stop_earlier(self._clickhouse, query_id)
            except StorageError as error:
                log.debug("direct: cannot be ended yet", error=str(error))
                if self._stopping.wait(0.5):
                    return
            else:
                return

    def _insert(self, pieces: Sequence[Piece], signal: str, keyed: bool, query_id: str) -> None:  # noqa: FBT001 - from a pair
        now = time.time_ns()
        # A record with a key but no time counts as the same, even if another door gave it another.
        since = now - self._window * 10**9 if keyed else None
        tables = decode.decode(
            signal,
            [
                self._rows(piece, (self.seen.get(piece.request_id) or Seen(now)).at_ns)
                for piece in pieces
            ],
        )
        tables = redact(decode.keep_late(tables), self._redaction.redactor)
        for table, rows in limit_attributes(tables, self._limits.attributes).items():
            time_column = decode.time_column(table)
            self._marker.cover(table, rows)
            wanted = presence.missing(self._clickhouse, table, rows, time_column, since)
            for number, part in enumerate(presence.by_partitions(wanted, time=time_column)):
                if part.num_rows:
                    self._insert_part(table, part, f"{query_id}-{table}-{number}", pieces, now)

    def _insert_part(
        self, table: str, rows: pa.RecordBatch, query_id: str, pieces: Sequence[Piece], now: int
    ) -> None:
        for piece in pieces:
            seen = self.seen.get(piece.request_id) or Seen(now, piece.body)
            self.seen.add(piece.request_id, note=seen)
        begin_before = time.monotonic() + self._begin_seconds
        self._marker.cover(table, rows)
        try:
            self._inserter.insert(table, rows, query_id, begin_before)
        except OutcomeUnknownError:
            self._live.skip({table: rows})
            raise
        self._live.offer({table: rows})

    def _usage(self, piece: Piece) -> tuple[str, Usage]:
        """What is used, under the id that a chunk of the request would have."""
        seen = self.seen.get(piece.request_id)
        at_s = seen.at_ns / NS_PER_S if seen else time.time()
        tenant = piece.tenant
        return piece.request_id, Usage(
            dt.datetime.fromtimestamp(at_s, dt.UTC).date(),
            tenant.workspace_id,
            tenant.client_id,
            piece.signal,
            usage.STORED,
            0,
            piece.records,
            len(piece.payload),
        )

    def _rows(self, piece: Piece, received_ns: int) -> ChunkRows:
        return ChunkRows(
            payload=piece.payload,
            workspace_id=piece.tenant.workspace_id,
            client_id=piece.tenant.client_id,
            chunk_id=row_id(piece.request_id),
            received_ns=received_ns,
            retention_days=self.retention.days(piece.tenant.workspace_id, piece.signal),
        )


def _kind(piece: Piece) -> tuple[str, bool]:
    """What is inserted together: the signal, and whether requests are identified by a key."""
    return piece.signal, bool(piece.body)
