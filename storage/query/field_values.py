"""SQL for the value of a field of the search language."""

from collections.abc import Iterator

from storage.clickhouse.sql import Bind
from storage.query.language.fields import Attribute, AttributeMap, Field, FieldType
from storage.severity import level_name


def value_or_null(field: Field, bind: Bind) -> str:
    """SQL for a record's value of a field, NULL if the record lacks it; an empty column does."""
    if not isinstance(field, Attribute):
        sql = level_name() if field.kind is FieldType.LEVEL else field.sql
        return f"nullIf({sql}, '')"
    key = bind(field.name)
    found = [part for column in field.maps for part in _of_map(column, key)]
    otherwise = field.otherwise
    found.append(f"nullIf(toString({otherwise.sql}), '')" if otherwise else "NULL")
    return f"multiIf({', '.join(found)})"


def _of_map(column: AttributeMap, key: str) -> Iterator[str]:
    yield f"mapContains({column.sql}, {key})"
    yield f"toString({column.sql}[{key}])"
