"""Recording in the audit log what a command does, before it is done."""

import getpass
import os
from collections.abc import Mapping
from typing import Any

from access.audit import AuditLog
from access.principal import Principal
from ledger.broker import Broker
from storage.clickhouse.client import Clickhouse

PRINCIPAL = "command line"


class Acts:
    """Records the acts of a command."""

    def __init__(self, broker: Broker, clickhouse: Clickhouse) -> None:
        """Record in both stores."""
        self._log = AuditLog(broker, clickhouse)
        self._principal = Principal(PRINCIPAL, _user(), frozenset({"admin"}))

    def record(self, action: str, workspace_id: str, details: Mapping[str, Any]) -> None:
        """Record an act under the name that it has in the API.

        Raises:
            AuditError: it is not recorded, and must not be done.
        """
        self._log.record(self._principal, action, workspace_id, details)


def _user() -> str:
    """The user of the operating system."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
