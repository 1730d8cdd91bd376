import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import chunk
from ledger.chunk import Chunk, Header

ids = st.binary(min_size=16, max_size=16).map(bytes.hex)
names = st.from_regex(r"[A-Za-z0-9._:-]{1,128}", fullmatch=True)
headers = st.builds(
    Header,
    version=st.just(chunk.VERSION),
    id=ids,
    signal=st.sampled_from(["logs", "traces", "metrics"]),
    workspace_id=names,
    client_id=names,
    records=st.integers(0, 2**40),
    bytes=st.integers(0, chunk.MAX_BYTES),
    received_at=st.integers(0, 2**63 - 1),
    retention_days=st.integers(0, 3650),
)


@given(headers)
def test_a_header_comes_back_as_it_was_kept(header):
    packed = chunk.pack_header(header)
    assert chunk.unpack_header(packed) == header
    assert msgspec.json.decode(packed)["id"] == header.id


@given(headers, st.binary(max_size=2000))
def test_a_chunk_gives_its_bytes_back_and_what_the_decoder_needs(header, payload):
    header = msgspec.structs.replace(header, bytes=len(payload))
    kept = chunk.unpack(chunk.pack_header(header), chunk.compress(payload))

    assert kept == Chunk(header, chunk.compress(payload))
    assert kept.otlp() == payload

    rows = kept.rows()
    assert rows.payload == payload
    assert rows.chunk_id == int(header.id, 16) & (2**64 - 1)
    assert (rows.workspace_id, rows.client_id) == (header.workspace_id, header.client_id)
    assert (rows.received_ns, rows.retention_days) == (header.received_at, header.retention_days)


def test_new_ids_are_128_bits_of_hexadecimal_and_differ():
    made = {chunk.new_id() for _ in range(1000)}
    assert len(made) == 1000
    assert {len(bytes.fromhex(each)) for each in made} == {16}


@pytest.mark.parametrize("signal", ["log", "", None])
def test_a_header_of_an_unknown_signal_is_no_header(signal):
    header = Header(1, "0" * 32, "logs", "a", "b", 1, 1, 1, 30)
    wrong = msgspec.json.encode(msgspec.to_builtins(header) | {"signal": signal})
    with pytest.raises(msgspec.ValidationError):
        chunk.unpack_header(wrong)
