import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import keys
from ledger.backup import kept
from ledger.backup.entries import ChunkEntry, DamagedError, Digest, KeyEntry, read, write

_BYTES = st.binary(max_size=40)
_KEYS = st.builds(
    KeyEntry,
    key=_BYTES,
    kind=st.sampled_from(["string", "hash", "list", "set", "zset"]),
    values=st.lists(_BYTES, max_size=4),
    expires_ms=st.integers(0, 2**50),
)
_CHUNKS = st.builds(
    ChunkEntry,
    id=_BYTES,
    at_ms=st.integers(0, 2**50),
    dead=st.booleans(),
    fields=st.dictionaries(_BYTES, _BYTES, max_size=4),
)


def written(entries):
    file = io.BytesIO()
    sink = Digest(file)
    assert write(entries, sink) == len(entries)
    assert sink.size == len(file.getvalue())
    return file.getvalue()


@given(st.lists(_KEYS | _CHUNKS, max_size=20))
def test_what_is_written_is_read(entries):
    assert list(read(io.BytesIO(written(entries)))) == entries


@given(st.lists(_KEYS | _CHUNKS, min_size=1, max_size=5), st.data())
def test_a_file_that_is_cut_off_is_noticed(entries, data):
    whole = written(entries)
    size = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(DamagedError):
        list(read(io.BytesIO(whole[:size])))


def test_every_key_of_the_broker_is_kept_or_left_out_on_purpose():
    named = {
        value
        for name, value in vars(keys).items()
        if name.isupper() and isinstance(value, str) and value.startswith(keys.PREFIX)
    }
    assert named - {keys.PREFIX} == set(kept.KEPT)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("sheaf:request:1f", "early"),
        ("sheaf:jobs", "made anew"),
        ("sheaf:jobs:acme", "early"),
        ("sheaf:job:1f", "early"),
        ("sheaf:usage_added:x", "left out"),
        ("sheaf:usage", "at the cut"),
        ("_kombu.binding.sheaf", None),
    ],
)
def test_a_key_is_kept_as_its_prefix_says(key, expected):
    assert kept.how(key) == expected
