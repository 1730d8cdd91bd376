"""The way around the broker: while it is away or full, the door inserts by itself."""

from __future__ import annotations

import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import structlog

from ingest.memory import Memory
from ingest.status import unavailable
from storage import decode, presence
from storage.decode import ChunkRows
from storage.direct_requests import DirectRequest, DirectRequests
from storage.errors import OutcomeUnknownError, StorageError
from storage.rollups.marks import Marker
from tasks.chunk import row_id
from tasks.live import LivePublisher
from tasks.retention import RetentionView

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from config.settings import Settings
    from ingest.group import Group
    from ingest.piece import Piece
    from ingest.untold import Untold
    from storage.client import Clickhouse
    from storage.insert import Inserter

log = structlog.get_logger(__name__)

_QUEUED = 4


class Seen(NamedTuple):
    """A request that may be in ClickHouse."""

    at_ns: int
    """When it first came in, in Unix nanoseconds."""
    body: str = ""
    """Digest of its body, if a key is its identity."""


class DirectPath:
    """Inserts groups of pieces, a bounded number at a time.

    A piece's rows carry the low half of its request id as `ChunkId`, and every insert looks
    first which of them are there: a client's retry is stored once, whichever way it goes.
    """

    def __init__(
        self,
        settings: Settings,
        clickhouse: Clickhouse,
        inserter: Inserter,
        untold: Untold,
        retention: RetentionView | None = None,
    ) -> None:
        """Insert at most `DIRECT_INSERTS` groups at a time; `untold` tells the ledger of them.

        Without `retention`, records are kept for as long as the settings say.
        """
        self.retention = retention or RetentionView(settings)
        """For how long records are kept, whichever way they go."""
        self._most = settings.direct_inserts
        self._clickhouse = clickhouse
        self._inserter = inserter
        self._requests = DirectRequests(clickhouse)
        self.untold = untold
        """What the ledger does not know yet."""
        self._window = settings.request_window
        self._marker = Marker(clickhouse, settings)
        self._live = LivePublisher(settings)
        self._begin_seconds = settings.lease_margin
        self._pool = ThreadPoolExecutor(max(1, self._most), thread_name_prefix="direct")
        self._room = threading.BoundedSemaphore(max(1, self._most * _QUEUED))
        self._stopping = threading.Event()
        self.busy: set[str] = set()
        """Requests with an insert under way: what it will leave behind cannot be counted yet."""
        self.seen: Memory[Seen] = Memory(settings.request_window)
        """Requests that are in ClickHouse by this way, or may be.

        Records without a time of their own got the time at which they first came in, and every
        later look and attempt must give them the same.
        """
        self.done: Memory[None] = Memory(settings.request_window)
        """Those of them that were answered OK."""

    def store(self, group: Group, *, full: bool = False) -> None:
        """Store a group in the background; its waiters are told.

        `full`: the broker is there, only that it takes nothing more: the ledger is told of the
        group before its clients are.
        """
        if not self._most or not self._room.acquire(blocking=False):
            group.fail_all(unavailable("the broker is away; try again", retry_after=2))
            return
        request_ids = [piece.request_id for piece in group.pieces]
        self.busy.update(request_ids)
        self._pool.submit(self._store, group, request_ids, full=full)

    def stop(self) -> None:
        """Finish what was begun."""
        self._stopping.set()
        self._pool.shutdown(wait=True)
        self._live.close()

    def _store(self, group: Group, request_ids: Sequence[str], *, full: bool) -> None:
        query_id = f"sheaf-direct-{secrets.token_hex(8)}"
        try:
            self._pass_over_known(group, request_ids)
            for kind in dict.fromkeys(map(_kind, group.pieces)):
                self._insert([p for p in group.pieces if _kind(p) == kind], *kind, query_id)
        except OutcomeUnknownError as error:
            log.warning("direct: outcome unknown", error=str(error))
            group.fail_all(unavailable("ClickHouse did not answer; the same may be repeated", 2))
            self._end(query_id)
        except StorageError as error:
            log.warning("direct: not stored", error=str(error))
            group.fail_all(unavailable("neither the broker nor ClickHouse takes it", 2))
        except Exception:
            log.exception("direct: failed")
            group.fail_all(unavailable("an internal fault; try again"))
        else:
            self._stored(group, full=full)
        finally:
            self.untold.answer(group, at_once=full)
            self.busy.difference_update(request_ids)
            self._room.release()

    def _pass_over_known(self, group: Group, request_ids: Sequence[str]) -> None:
        """Place what another door has stored, or this one before it was started anew."""
        since = time.time() - self._window
        for known in self._requests.known(request_ids, since):
            group.repeat(known.id, known.id, known.body, "db")

    def _stored(self, group: Group, *, full: bool) -> None:
        now = time.time()
        stored = [
            DirectRequest(piece.request_id, piece.records, now, piece.body)
            for piece in group.pieces
        ]
        self.untold.add(stored)
        if not (full and self.untold.tell()):
            self._leave(stored)
        for each in stored:
            self.done.add(each.id)
            group.place(each.id, each.id, "db")

    def _leave(self, stored: Sequence[DirectRequest]) -> None:
        """Leave them where they outlive this door."""
        try:
            self._requests.add(stored)
        except StorageError as error:
            # They are stored all the same, and this door knows them.
            log.warning("direct: not noted in ClickHouse", error=str(error))

    def _end(self, query_id: str) -> None:
        """Wait until no insert of this id runs any more, for as long as ClickHouse is away."""
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
        # What has a key and no time is the same, though another door gave it another time.
        since = now - self._window * 10**9 if keyed else None
        tables = decode.decode(
            signal,
            [
                self._rows(piece, (self.seen.get(piece.request_id) or Seen(now)).at_ns)
                for piece in pieces
            ],
        )
        for table, rows in decode.keep_late(tables).items():
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
            self._live.leave_out({table: rows})
            raise
        self._live.offer({table: rows})

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
    """What is inserted together: a signal, and whether a key is the requests' identity."""
    return piece.signal, bool(piece.body)
