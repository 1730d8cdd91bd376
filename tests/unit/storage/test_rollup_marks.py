from hypothesis import given
from hypothesis import strategies as st

from storage import decode
from storage.query.rollups.marks import hours_of
from storage.time_range import LAST_NS
from tests.integration.made_logs import entry

HOUR_NS = 3600 * 10**9

chunks = st.lists(
    st.tuples(
        st.sampled_from(["acme", "beta", "gamma"]),
        st.lists(
            st.one_of(
                st.integers(1, LAST_NS),
                st.sampled_from([HOUR_NS - 1, HOUR_NS, 7 * HOUR_NS, 7 * HOUR_NS + 1]),
            ),
            min_size=1,
            max_size=5,
        ),
    ),
    min_size=1,
    max_size=5,
)


@given(chunks=chunks)
def test_the_hours_of_rows_are_those_of_each_single_row(chunks):
    rows_of_chunks = []
    expected = set()
    for workspace, times in chunks:
        made = entry(map(str, times), times, workspace=workspace)
        rows_of_chunks.append(made.chunk.rows())
        expected |= {(workspace, time // HOUR_NS * 3600) for time in times}

    rows = decode.decode("logs", rows_of_chunks)["otel_logs"]

    assert hours_of(rows) == expected
