"""The code blocks of the documentation, and the test that checks each."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")])

_GRAFANA = "tests/integration/test_grafana.py"
_TRACES = "tests/integration/web/traces/test_traces_page.py"
_SETTINGS = "tests/unit/config/test_documented_settings.py"
_REDACTION = "tests/integration/web/test_redaction.py"
_COMMANDS = "tests/e2e/test_documentation.py"
_BACKUP = "docs/operating/backup.md"
_LEDGERS = "docs/operating/ledgers.md"
_PLANNING = "docs/operating/planning.md"
_BROKER = "tests/integration/ledger/test_usable.py"
_RIGHTS = "tests/e2e/test_restricted_accounts.py"

CHECKS = (
    (_PLANNING, "console", "tests/unit/cli/test_plan.py", "test_the_documented_plan_is_printed"),
    ("docs/grafana.md", "sql", _GRAFANA, "test_the_page_tells_the_runs_apart"),
    ("docs/access.md", "env", _SETTINGS, "test_documented_settings_are_accepted"),
    (_LEDGERS, "env", _SETTINGS, "test_documented_settings_are_accepted"),
    (_BACKUP, "env", _SETTINGS, "test_documented_settings_are_accepted"),
    (_BACKUP, "sh", "tests/e2e/test_backup.py", "test_the_documented_commands_bring_all_back"),
    ("docs/traces.md", "python", _TRACES, "test_the_documented_function_nests_the_flat_list"),
    ("docs/redaction.md", "json", _REDACTION, "test_the_documented_rules_can_be_set"),
    ("docs/operating/rights.md", "text", _BROKER, "test_the_documented_rights_are_enough"),
    ("docs/operating/rights.md", "sql", _RIGHTS, "test_all_works_with_the_documented_rights"),
    ("docs/statistics.md", "text", _COMMANDS, "test_a_customer_has_the_documented_statistics"),
    ("docs/statistics.md", "json", _COMMANDS, "test_a_customer_has_the_documented_statistics"),
    ("ARCHITECTURE.md", "text", "tests/unit/test_docs.py", "test_the_ports_of_the_diagram"),
    ("", "json", _COMMANDS, "test_an_answer_is_as_documented"),
    ("", "console", _COMMANDS, "test_documented_commands_work"),
    ("", "http", _COMMANDS, "test_documented_commands_work"),
    ("", "sh", _COMMANDS, "test_documented_commands_work"),
)
"""Document (any if empty), language, and the test; the first row that fits counts."""


@dataclass(frozen=True)
class Block:
    """A fenced block; `lead` is the paragraph before it, `line` that of its fence."""

    document: str
    line: int
    language: str
    lead: str
    text: str

    def __str__(self):
        return f"{self.document}:{self.line}"

    @property
    def check(self):
        """File and name of the test that checks it; None if there is none."""
        for document, language, *test in CHECKS:
            if document in {"", self.document} and language == self.language:
                return tuple(test)
        return None

    @property
    def commands(self):
        """Its commands, each with the output that follows it; requests become curl's."""
        text = self.text.replace("\\\n", "")
        if self.language == "console":
            parts = ("\n" + text).split("\n$ ")[1:]
            return [tuple(part.rstrip("\n").partition("\n")[::2]) for part in parts]
        lines = [line for line in text.splitlines() if line.strip()]
        if self.language == "http":
            lines = [re.sub(r"^GET (\S+)$", r"curl -g 'localhost:8000\1'", line) for line in lines]
        return [(line, "") for line in lines]


def _blocks(path):
    fence, lead, start, body = None, [], 0, []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        found = re.match(r" *(`{3,}|~{3,})\s*(\S*)", line)
        if fence and line.strip() == fence[1]:
            text = "\n".join([*body, ""])
            yield Block(str(path.relative_to(ROOT)), start, fence[2], " ".join(lead), text)
            fence, lead = None, []
        elif fence:
            body.append(line)
        elif found:
            fence, start, body = found, number, []
        elif line.strip():
            lead = [*lead, line] if lead and lead[-1] else [line]
        elif lead:
            lead = [*lead, ""]
    assert fence is None, f"{path}:{start} is not closed"


BLOCKS = [block for path in DOCUMENTS for block in _blocks(path)]


def checked_by(test):
    """The blocks that a test checks."""
    return [block for block in BLOCKS if block.check and block.check[1] == test]
