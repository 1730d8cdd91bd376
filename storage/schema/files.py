"""The numbered SQL files."""

import hashlib
import re
from dataclasses import dataclass
from importlib import resources

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+)\$\{local\}")
_NEEDS = re.compile(r"-- needs: (\d{4})\n")


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered SQL file."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """Identifies the text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def needs(self) -> int:
        """Newest migration that a process must know to run when this one is applied.

        The file says so in its first line, `-- needs: 0015`. Without it, this very migration.
        """
        found = _NEEDS.match(self.sql)
        return int(found[1]) if found else self.version


def migrations() -> list[Migration]:
    """The files of `storage/schema`, in order of their numbers."""
    found = [
        Migration(int(match[1]), file.name, file.read_text(encoding="utf-8"))
        for file in resources.files("storage").joinpath("schema").iterdir()
        if (match := _NAME.fullmatch(file.name))
    ]
    return sorted(found, key=lambda migration: migration.version)


def created_table(statement: str) -> str | None:
    """The name of the table that a statement creates."""
    found = _TABLE.search(statement)
    return found[1] if found else None


def tables() -> list[str]:
    """The names of all tables."""
    return [name for migration in migrations() for name in _TABLE.findall(migration.sql)]
