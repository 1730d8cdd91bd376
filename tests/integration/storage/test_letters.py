"""Upper and lower case: the engine's search and the live tail's find the same."""

import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.clickhouse.client import Clickhouse
from storage.clickhouse.sql import Where
from storage.query.logs.search import LogFilters, select, where
from storage.time_range import TimeRange

pytestmark = pytest.mark.integration

FIRST_NS = 1_784_000_000_000_000_000
TIME_RANGE = TimeRange(FIRST_NS, FIRST_NS + 10**9)
AT_ONCE = 40


def has_case(sign):
    return sign.lower() != sign or sign.upper() != sign or sign.title() != sign


# Characters that can be encoded: all but the surrogates.
CHARACTERS = map(chr, [*range(0xD800), *range(0xE000, sys.maxunicode + 1)])


LETTERS = list(filter(has_case, CHARACTERS))
"""Every letter of Unicode that has another case."""

RUNS = ["".join(LETTERS[start : start + 10]) for start in range(0, len(LETTERS), 10)]


class Stored:
    """A log record for each text, in one workspace."""

    def __init__(self, clickhouse, workspace, texts):
        self.clickhouse = clickhouse
        self.workspace = workspace
        about = dict.fromkeys(("trace_id", "endpoint", "client_id", "service_name"), "")
        self.rows = [
            {
                **about,
                "workspace_id": workspace,
                "place": place,
                "body": text,
                "severity_text": "",
                "severity_number": 0,
                "log_attributes": {},
                "resource_attributes": {},
            }
            for place, text in enumerate(texts)
        ]
        clickhouse.insert(
            "INSERT INTO otel_logs (Timestamp, WorkspaceId, ChunkRow, Body) VALUES",
            [(FIRST_NS, workspace, row["place"], row["body"]) for row in self.rows],
        )

    def in_sql(self, filters):
        """The places that each of these filters finds, all asked for in one query."""
        whole, columns = Where(), []
        for each in filters:
            clause = where(LogFilters(workspace_id=self.workspace, **each), TIME_RANGE)
            # Each filter numbers its parameters from 0: bind them anew in the whole query.
            names = {name: whole.bind(value) for name, value in clause.params.items()}
            escaped = {name: sign.replace("%", "%%") for name, sign in names.items()}
            condition = (clause.sql % escaped).replace("%%(", "%(")
            columns.append(f"groupArrayIf(ChunkRow, {condition})")
        [found] = self.clickhouse.query(
            f"SELECT {', '.join(columns)} FROM otel_logs "
            f"WHERE WorkspaceId = {whole.bind(self.workspace)}",
            whole.params,
        )
        return [set(places) for places in found]

    def in_python(self, filters):
        found = []
        for each in filters:
            rows = select(LogFilters(workspace_id=self.workspace, **each), self.rows)
            found.append({row["place"] for row in rows})
        return found


@pytest.fixture(scope="module")
def clickhouse(migrated):
    made = Clickhouse(migrated)
    yield made
    made.close()


@pytest.fixture(scope="module")
def letters(clickhouse):
    """Each letter, and runs of letters in each of their cases."""
    rows = [f"<{letter}>" for letter in LETTERS]
    for run in RUNS:
        cases = [in_case(run, way) for way in (str, str.lower, str.upper, str.title)]
        rows += dict.fromkeys(cases)
    return Stored(clickhouse, "letters", rows)


def in_case(run, way):
    """Letters in a case; a letter that would become several stays as it is."""
    changed = []
    for letter in run:
        other = way(letter)
        changed.append(other if len(other) == 1 else letter)
    return "".join(changed)


@pytest.mark.parametrize("start", range(0, len(RUNS), AT_ONCE))
def test_letters_are_found_the_same_in_sql_and_in_python(letters, start):
    runs = RUNS[start : start + AT_ONCE]
    searches = [{"search": run} for run in runs]
    queries = [{"q": f'"{run}"'} for run in runs]
    for asked in (searches, queries):
        assert letters.in_sql(asked) == letters.in_python(asked)


SAME = ("აᲐ", "Ꭰꭰ", "ⒶⓐⒶ", "σςΣ", "éÉ", "ǆǅǄ", "ßẞ", "ԱԱա", "𐐀𐐨", "ⅷⅧ", "Жж", "µΜμ")
DIFFERENT = ("\u212ak", "\u017fs", "İi", "\u0131I", "ßs")


@pytest.mark.parametrize("same", SAME)
def test_letters_that_differ_in_their_case_alone_are_the_same(letters, same):
    expected = {LETTERS.index(letter) for letter in same}
    for found in letters.in_sql([{"search": f"<{letter}>"} for letter in same]):
        assert found >= expected


@pytest.mark.parametrize("different", DIFFERENT)
def test_letters_of_ascii_are_the_same_as_no_others(letters, different):
    beyond, ascii_letter = different
    [found] = letters.in_sql([{"search": f"<{beyond}>"}])
    assert LETTERS.index(ascii_letter) not in found


texts = st.text(
    st.one_of(st.sampled_from(LETTERS), st.sampled_from("aK %_\\[](.*+^$|{}\n\"'é-/")),
    min_size=1,
    max_size=12,
)


@pytest.fixture(scope="module")
def cases(clickhouse):
    sentences = ["Ოშიბკა ⒶⒷⒸ retry", "ოშიბკა ⓐⓑⓒ RETRY", "ΣΊΣΥΦΟΣ σίσυφος", "Größe [x]*\\ %_"]
    return Stored(clickhouse, "cases", sentences + [each.swapcase() for each in sentences])


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=texts, start=st.integers(0, 16), length=st.integers(1, 8), row=st.integers(0, 7))
def test_any_text_is_found_the_same_in_sql_and_in_python(cases, text, start, length, row):
    part = cases.rows[row]["body"][start : start + length]
    asked = [{"search": each} for each in (text, part, part.swapcase()) if each]
    assert cases.in_sql(asked) == cases.in_python(asked)


def test_the_longest_text_is_searched_for(cases):
    longest = [{"search": letter * 4096} for letter in ("é", "Ა")]
    assert cases.in_sql(longest) == [set(), set()]
