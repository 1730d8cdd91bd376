"""The settings of workspaces that a worker follows, and its feed of the live tail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from access.secret import redaction_secret
from ledger.limits import LimitView
from ledger.live import LivePublisher
from ledger.redaction import RedactionView

if TYPE_CHECKING:
    from config.settings import Settings
    from ledger.broker import Broker
    from storage.clickhouse.client import Clickhouse


class Policies:
    """Views of what is in the main broker; all writers of a process share them.

    Attributes:
        redaction: the rules of redaction.
        limits: the limits of workspaces.
        live: publishes stored rows.
    """

    def __init__(self, settings: Settings, broker: Broker, clickhouse: Clickhouse) -> None:
        """Read from the main broker, `broker`, and `clickhouse`."""
        self.redaction = RedactionView(redaction_secret(settings), broker, clickhouse)
        self.limits = LimitView(broker, clickhouse)
        self.live = LivePublisher(settings)

    def start(self) -> None:
        """Learn the rules of redaction and the limits, and follow them from now on."""
        self.redaction.start()
        self.limits.start()

    def close(self) -> None:
        """Publish the last rows to the live tail; follow nothing any more."""
        self.redaction.stop()
        self.limits.stop()
        self.live.close()
