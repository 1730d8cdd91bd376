"""Requests that were accepted in another ledger, before their workspace changed to this one."""

import structlog

from ingest.commit.group import Group
from ingest.status import unavailable
from ledger.choice import chosen
from ledger.keys import now_ms
from ledger.ledger import BrokerError, Ledger
from ledger.ledgers import Ledgers
from ledger.register import opened_ms

log = structlog.get_logger(__name__)


class Elsewhere:
    """Answers retries of requests that other ledgers have; asks only those that may have them.

    A closed ledger may have requests of the workspaces that it would have if it were open. Of one
    that is about to be closed, other doors may already put requests where they go then. One that
    was opened within the request window has workspaces whose requests may be in any other.
    """

    def __init__(self, window: int, ledgers: Ledgers, ledger: Ledger) -> None:
        """Ask others than `ledger`; requests are known for `window` seconds."""
        self._window_ms = 1000 * window
        self._ledger = ledger
        self._others = [each for each in ledgers.all if each is not ledger]
        self._names = tuple(each.name for each in ledgers.all)
        self._staying = tuple(
            each.name for each in ledgers.all if each.is_open and not each.is_closing
        )
        self._changes = self._staying != self._names
        self._opened_ms = 0

    def look(self, group: Group) -> list[str]:
        """Take requests out of a group that another ledger knows, or may know but does not answer.

        Returns: ids of requests that are known but have no times: they are no retries.
        """
        everywhere = self._is_new()
        if not everywhere and not self._changes:
            return []
        events = []
        for other in self._others:
            asked = [
                piece.request_id
                for piece in group.pieces
                if everywhere or self._may_have(other.name, piece.tenant.workspace_id)
            ]
            if asked:
                events += self._ask(other, group, asked)
        return events

    def _may_have(self, name: str, workspace_id: str) -> bool:
        return name in {chosen(workspace_id, self._names), chosen(workspace_id, self._staying)}

    def _ask(self, other: Ledger, group: Group, request_ids: list[str]) -> list[str]:
        try:
            known = other.receipts.known(request_ids)
        except BrokerError as error:
            log.warning(
                "commit: another ledger cannot be asked", ledger=other.name, error=str(error)
            )
            text = f"the ledger {other.name} may have this request, but is away; try again later"
            group.fail(request_ids, unavailable(text))
            return []
        events = []
        for request_id, text in known.items():
            chunk_id, _, body = text.partition(" ")
            if group.repeat(request_id, chunk_id, body, ledger=other.name):
                events.append(request_id)
        return events

    def _is_new(self) -> bool:
        if not self._opened_ms:
            try:
                self._opened_ms = opened_ms(self._ledger.broker)
            except BrokerError:
                return True
        return now_ms() - self._opened_ms < self._window_ms
