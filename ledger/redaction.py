"""The redaction rules of workspaces, shared by all processes."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from ledger.broker import Broker
from ledger.shared import CLICKHOUSE, SharedTable, SharedView, next_version
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import UnavailableError
from storage.redaction.rules import MOST_RULES, Redactor, Rule, RuleError

EVERYWHERE = "*"
"""Name of the entry whose rules hold in all workspaces, before their own."""


class RulesUnknownError(UnavailableError):
    """The rules are not known yet, so nothing may be stored."""


class RuleSet(msgspec.Struct, frozen=True):
    """The rules of one workspace, in the order in which they are applied."""

    version: int = 0
    rules: tuple[Rule, ...] = ()


def check(rules: Sequence[Rule]) -> None:
    """Check the rules of a workspace.

    Raises:
        RuleError: one cannot be used; the text names it, counted from 0.
    """
    if len(rules) > MOST_RULES:
        raise RuleError(f"At most {MOST_RULES} rules.")
    for index, rule in enumerate(rules):
        try:
            rule.check()
        except RuleError as error:
            raise RuleError(f"rules.{index}: {error}") from None


class RedactionBook:
    """The rules of all workspaces; any thread may use it. Every method raises SharedError."""

    def __init__(self, broker: Broker, clickhouse: Clickhouse) -> None:
        """Keep rules in both stores."""
        self.table = SharedTable("redaction", RuleSet, broker, clickhouse)

    def own(self, workspace_id: str) -> tuple[Rule, ...]:
        """The rules that are set for a workspace, or for all of them (:data:`EVERYWHERE`)."""
        return self.table.all().get(workspace_id, RuleSet()).rules

    def replace(self, workspace_id: str, rules: Sequence[Rule]) -> None:
        """Replace the rules of a workspace.

        Raises:
            RuleError: a rule cannot be used.
        """
        check(rules)
        before = self.table.all().get(workspace_id, RuleSet())
        changed = RuleSet(next_version(before.version), tuple(rules))
        self.table.put(workspace_id, changed, "Repeat this until it succeeds.")


class RedactionView:
    """The rules as a process knows them, no older than a second or two.

    Nothing may be stored before ClickHouse was read once: a broker may have lost what it had. So
    :meth:`redactor` raises until then.
    """

    def __init__(self, secret: bytes, broker: Broker, clickhouse: Clickhouse) -> None:
        """Show what both stores have; `secret` keys the hashes."""
        self._secret = secret
        self._redactors: dict[str, Redactor | None] = {}
        self._view = SharedView(RedactionBook(broker, clickhouse).table, self._learn)

    @property
    def is_known(self) -> bool:
        """Whether ClickHouse has been read."""
        return CLICKHOUSE not in self._view.unread

    def check_known(self) -> None:
        """Look at the stores if need be.

        Raises:
            RulesUnknownError: ClickHouse has not been read yet.
        """
        if not self.is_known:
            self._view.refresh()
        if not self.is_known:
            text = "the rules of redaction cannot be read, so nothing is stored"
            raise RulesUnknownError(text)

    def start(self) -> None:
        """Look once, then every second."""
        self._view.start()

    def stop(self) -> None:
        """Look no more."""
        self._view.stop()

    def refresh(self) -> None:
        """Look now."""
        self._view.refresh()

    def redactor(self, workspace_id: str) -> Redactor | None:
        """The redactor of a workspace; None: it has no rules.

        Raises:
            RulesUnknownError: the rules are not known yet.
        """
        self.check_known()
        # In this order, so that no redactor of earlier rules gets among those of later ones.
        known = self._redactors
        entries = self._view.entries
        if not entries:
            return None
        if workspace_id not in known:
            sets = (entries.get(EVERYWHERE), entries.get(workspace_id))
            rules = tuple(rule for each in sets if each for rule in each.rules)
            known[workspace_id] = Redactor(rules, self._secret) if rules else None
        return known[workspace_id]

    def text(self, workspace_ids: Iterable[str], text: str) -> str:
        """A text about records of these workspaces, such as an error, with all their rules applied.

        Raises:
            RulesUnknownError: the rules are not known yet.
        """
        for redactor in filter(None, map(self.redactor, dict.fromkeys(workspace_ids))):
            text = redactor.text(text)
        return text

    def _learn(self, _: Mapping[str, RuleSet]) -> None:
        self._redactors = {}
