"""The changes of the engine's machine code fit one engine, and fail loudly for any other."""

import mmap

import pytest

from embedded.engine import Engine
from tests.cluster import engine_patches, machine_code
from tests.cluster.layout import Layout, Ports
from tests.cluster.machine_code import Function, UnknownCodeError

CODE = Function("f", b"\x90\x91\x92\x93")


def test_another_version_of_the_engine_is_refused(monkeypatch):
    monkeypatch.setattr(engine_patches, "VERSION", "26.10.0")
    with pytest.raises(UnknownCodeError, match=r"needs chdb-core 26\.10\.0 on x86_64, and this is"):
        engine_patches.find()


@pytest.mark.parametrize(
    ("content", "count"), [(b"", "nowhere"), (CODE.code * 2, "more than once")]
)
def test_code_that_is_not_there_exactly_once_is_refused(tmp_path, content, count):
    library = tmp_path / "library.so"
    library.write_bytes(b"\x7fELF" + content)
    with pytest.raises(UnknownCodeError, match=f"the code of f {count}"):
        CODE.find(library)


def test_code_that_is_there_once_is_found(tmp_path):
    library = tmp_path / "library.so"
    library.write_bytes(b"\x7fELF" + bytes(10_000) + CODE.code)
    assert CODE.find(library) == 10_004


def test_a_place_with_other_code_is_refused(tmp_path):
    library = tmp_path / "library.so"
    library.write_bytes(bytes(2 * mmap.PAGESIZE))
    rights = mmap.PROT_READ | mmap.PROT_EXEC
    with (
        library.open("rb") as file,
        mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, rights),
        pytest.raises(UnknownCodeError, match="does not have f at 5"),
    ):
        CODE.address(str(library), 5)
    with pytest.raises(UnknownCodeError, match="does not have f at 5"):
        CODE.address(str(library), 5)


def test_code_is_found_where_it_is_mapped_and_overwritten_there(tmp_path):
    library = tmp_path / "library.so"
    library.write_bytes(bytes(mmap.PAGESIZE - 2) + CODE.code + bytes(100))
    rights = mmap.PROT_READ | mmap.PROT_EXEC
    with (
        library.open("rb") as file,
        mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, rights) as mapped,
    ):
        address = CODE.address(str(library), CODE.find(library))
        machine_code.overwrite(address, b"\xc3\xc3\xc3")
        assert mapped[mmap.PAGESIZE - 2 :][:5] == b"\xc3\xc3\xc3\x93\x00"


def test_a_node_keeps_what_a_single_server_is_configured_with_and_adds_its_cluster(tmp_path):
    ports = [[Ports(1, 2, 3), Ports(4, 5, 6)], [Ports(7, 8, 9), Ports(10, 11, 12)]]
    layout = Layout("c", 2181, {"f": 5}, ports, {"max_threads": "1"})
    layout.write(tmp_path / "layout.json")
    assert Layout.read(tmp_path / "layout.json") == layout

    plain = Engine(tmp_path).configuration()
    text = layout.configuration(plain, 2, 1, tmp_path)
    assert "<mark_cache_size>268435456</mark_cache_size>" in text
    assert "<tcp_port>7</tcp_port>" in text
    assert text.count("<background_schedule_pool_size>") == 1
    assert text.count("<shard><internal_replication>true</internal_replication><replica>") == 2
    assert "<macros><shard>02</shard><replica>r1</replica>" in text
