"""What a door has for each ledger: so one that is away or slow delays no other."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.commit.bind import Binder
from ingest.commit.direct import DirectPath, Policies
from ingest.commit.elsewhere import Elsewhere
from ingest.commit.group import Receipt, Submission
from ingest.commit.unreported import Unreported
from ledger.ledgers import Ledgers
from storage.lifecycle.direct_requests import DirectRequests

if TYPE_CHECKING:
    from collections.abc import Sequence

    from config.settings import Settings
    from ingest.commit.admission import Admission
    from ingest.commit.group import Settle, WaitingRequest
    from ingest.convert.piece import Pieces
    from ledger.ledger import Ledger
    from ledger.ledgers import AnyLedger
    from storage.clickhouse.client import Clickhouse
    from storage.clickhouse.insert import Inserter
    from tasks.hints import Announcer


@dataclass(frozen=True, slots=True)
class Parts:
    """What all lanes of a door share."""

    settings: Settings
    ledger: AnyLedger
    clickhouse: Clickhouse
    inserter: Inserter
    policies: Policies
    admission: Admission
    announcer: Announcer


@dataclass(frozen=True, slots=True)
class Lane:
    """The way to one ledger, and around it."""

    ledger: Ledger
    unreported: Unreported
    direct: DirectPath
    binder: Binder

    def start(self) -> None:
        """Start the threads."""
        self.unreported.start()
        self.binder.start()


def lanes_of(parts: Parts) -> list[Lane]:
    """A lane for each ledger; closed ones get nothing new, but receipts of what they have."""
    made = [_lane(parts, each) for each in parts.ledger.all]
    by_name = {each.ledger.name: each.unreported for each in made}
    for each in made:
        each.unreported.siblings = by_name
    return made


def stop_all(lanes: Sequence[Lane]) -> None:
    """Finish what was submitted, in the order of the write path."""
    for each in lanes:
        each.binder.stop()
    for each in lanes:
        each.direct.stop()
    # Last, because the others may add to what any of them has to report.
    for each in lanes:
        each.unreported.stop()


def _lane(parts: Parts, ledger: Ledger) -> Lane:
    settings = parts.settings
    unreported = Unreported(settings, ledger, DirectRequests(parts.clickhouse))
    direct = DirectPath(settings, parts.clickhouse, parts.inserter, unreported, parts.policies)
    elsewhere = None
    if isinstance(parts.ledger, Ledgers):
        elsewhere = Elsewhere(settings.request_window, parts.ledger, ledger)
    binder = Binder(settings, ledger, parts.admission, parts.announcer, direct, elsewhere)
    return Lane(ledger, unreported, direct, binder)


class Router:
    """Submits each piece of a request to the lane of its workspace; otherwise like a binder."""

    def __init__(self, ledger: AnyLedger, lanes: Sequence[Lane]) -> None:
        """Choose among `lanes` as `ledger` does."""
        self._ledger = ledger
        self._binders = {each.ledger.name: each.binder for each in lanes}

    def submit(self, pieces: Pieces, settle: Settle) -> None:
        """Queue a request; `settle` is called when all of it is safely stored, or refused."""
        if not pieces.pieces:
            settle(Receipt((), "redis"))
            return
        submission = Submission(len(pieces.pieces), settle)
        waiting: dict[str, list[WaitingRequest]] = defaultdict(list)
        for piece in pieces:
            name = self._ledger.of(piece.tenant.workspace_id).name
            waiting[name].append((piece, submission))
        for name, some in waiting.items():
            self._binders[name].add(some)


def router_of(ledger: AnyLedger, lanes: Sequence[Lane]) -> Binder | Router:
    """What takes requests: with one ledger, its binder itself."""
    return lanes[0].binder if len(lanes) == 1 else Router(ledger, lanes)
