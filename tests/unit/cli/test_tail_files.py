import os
from pathlib import Path

import pytest

from cli.errors import StartError, StopAskedError
from cli.tail.checkpoint import Checkpoint, CheckpointFile, FileState, claim
from cli.tail.files import LONGEST_LINE, Follower
from cli.tail.tail import Tail


@pytest.fixture
def follow(tmp_path):
    """Start followers of `*.log` in a folder; they are closed after the test."""
    started = []

    def start(*states, from_end=False):
        follower = Follower([str(tmp_path / "*.log")], states, from_end=from_end)
        started.append(follower)
        return follower

    yield start
    for each in started:
        each.close()


@pytest.fixture
def log(tmp_path):
    return tmp_path / "a.log"


def write(path, text):
    with path.open("a") as file:
        file.write(text)


def lines(follower, **options):
    """All that can be read now."""
    follower.look()
    found = []
    while pieces := follower.read(1, **options):
        for piece in pieces:
            found += [line.decode() for line in piece.lines]
    return found


def joined(pieces):
    """All lines of some pieces, as a payload."""
    return b"".join(line for piece in pieces for line in piece.lines)


def test_a_torn_last_line_waits_until_it_is_whole(follow, log):
    write(log, "one\ntw")
    follower = follow()
    assert lines(follower) == ["one"]

    write(log, "o\r\nthree")
    assert lines(follower) == ["two"]
    assert lines(follower, torn=True) == ["three"]
    assert lines(follower, torn=True) == []


def test_a_new_file_that_matches_is_found(follow, log, tmp_path):
    follower = follow()
    assert lines(follower) == []

    write(log, "one\n")
    write(tmp_path / "other.txt", "no\n")
    write(tmp_path / "b.log.gz", "no\n")
    (tmp_path / "folder.log").mkdir()

    assert lines(follower) == ["one"]


def test_a_renamed_file_is_read_on_beside_its_successor(follow, log, tmp_path):
    write(log, "one\n")
    follower = follow()
    assert lines(follower) == ["one"]

    log.rename(tmp_path / "a.log.1")
    write(tmp_path / "a.log.1", "late\n")
    write(log, "new\n")

    assert sorted(lines(follower)) == ["late", "new"]


def test_a_file_renamed_to_a_name_that_matches_too_is_not_read_twice(follow, log, tmp_path):
    write(log, "one\n")
    follower = follow()
    assert lines(follower) == ["one"]

    log.rename(tmp_path / "b.log")
    write(tmp_path / "b.log", "two\n")
    assert lines(follower) == ["two"]


def test_a_file_that_was_renamed_while_nobody_looked_is_found_again(follow, log, tmp_path):
    write(log, "one\n")
    before = follow()
    assert lines(before) == ["one"]

    log.rename(tmp_path / "a.log.1")
    write(tmp_path / "a.log.1", "rest\n")
    write(log, "new\n")

    assert sorted(lines(follow(*before.states))) == ["new", "rest"]


@pytest.mark.parametrize("fresh", ["2\n", "a fresh start that is longer than what there was\n"])
@pytest.mark.parametrize("restarted", [True, False])
def test_a_truncated_file_is_read_from_its_start(follow, log, fresh, restarted):
    write(log, "one and a half\n")
    follower = follow()
    assert lines(follower) == ["one and a half"]

    os.truncate(log, 0)
    write(log, fresh)
    follower = follow(*follower.states) if restarted else follower

    assert lines(follower) == [fresh.strip()]


def test_an_inode_that_another_file_took_over_is_another_file(follow, log, tmp_path):
    write(log, "other\n")
    status = log.stat()
    state = FileState(str(tmp_path / "x.log"), status.st_dev, status.st_ino, 3, 3, "0" * 32)
    assert lines(follow(state)) == ["other"]


def test_an_inode_that_a_file_of_no_pattern_took_over_is_left_alone(follow, tmp_path):
    other = tmp_path / "private.txt"
    write(other, "other\n")
    status = other.stat()
    state = FileState(str(tmp_path / "x.log"), status.st_dev, status.st_ino, 3, 3, "0" * 32)
    assert lines(follow(state)) == []


def test_a_deleted_file_is_read_to_its_very_end_and_then_forgotten(follow, log):
    write(log, "one\ntorn")
    follower = follow()
    log.unlink()
    assert lines(follower) == ["one", "torn"]
    assert lines(follower) == []
    assert follower.states == ()


def test_from_the_end_only_new_lines_count_and_new_files_count_whole(follow, log, tmp_path):
    write(log, "old\nbeg")
    follower = follow(from_end=True)
    write(log, "un\n")
    write(tmp_path / "b.log", "new\n")
    assert sorted(lines(follower)) == ["begun", "new"]


def test_a_line_beyond_the_longest_becomes_several(follow, log):
    write(log, "x" * (LONGEST_LINE + 3) + "\nshort\n")
    lengths = [len(line) for line in lines(follow())]
    assert lengths == [LONGEST_LINE, 3, len("short")]


def test_no_file_keeps_the_others_waiting(follow, tmp_path):
    for name in "abc":
        write(tmp_path / f"{name}.log", f"{name}\n" * LONGEST_LINE)
    follower = follow()

    read = set()
    for _ in range(3):
        read |= {Path(piece.path).stem for piece in follower.read(1)}

    assert read == {"a", "b", "c"}


def test_a_batch_is_bounded(follow, log):
    write(log, "x\n" * LONGEST_LINE)
    [piece] = follow().read(1)
    assert len(piece.lines) == LONGEST_LINE // 2


def test_a_checkpoint_comes_back_as_it_was_saved(tmp_path):
    kept = CheckpointFile(tmp_path / "c.json")
    assert kept.load() is None

    saved = Checkpoint((FileState("/a", 1, 2, 3, 3, "ff"),), b"\x00\xff")
    kept.save(saved)
    assert kept.load() == saved


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 99}'])
def test_what_is_no_checkpoint_is_refused_in_a_sentence(tmp_path, content):
    (tmp_path / "c.json").write_text(content)
    with pytest.raises(StartError, match=r"c\.json is"):
        CheckpointFile(tmp_path / "c.json").load()


def test_a_checkpoint_belongs_to_one_process_at_a_time(tmp_path):
    path = tmp_path / "new" / "c.json"
    with claim(path), pytest.raises(StartError, match="Another `sheaf tail`"), claim(path):
        pass

    with claim(path):
        pass


def test_a_file_is_known_for_good_before_any_line_of_it_is_whole(log, tmp_path):
    kept, sent = CheckpointFile(tmp_path / "c.json"), []
    pattern = [str(tmp_path / "*.log")]

    before = Tail(pattern, kept, joined, sent.append)
    write(log, "to")
    assert not before.step()
    before.close()

    log.rename(tmp_path / "a.log.1")
    write(tmp_path / "a.log.1", "rn\n")

    after = Tail(pattern, kept, joined, sent.append)
    assert after.step()
    after.close()
    assert sent == [b"torn"]


def test_what_could_not_be_delivered_comes_first_after_a_restart_byte_for_byte(log, tmp_path):
    kept, sent = CheckpointFile(tmp_path / "c.json"), []
    pattern = [str(tmp_path / "*.log")]

    def encode_at_random(_pieces):
        return os.urandom(16)

    def fail(payload):
        sent.append(payload)
        raise StopAskedError

    write(log, "one\n")
    before = Tail(pattern, kept, encode_at_random, fail)
    with pytest.raises(StopAskedError):
        before.step()
    before.close()
    log.unlink()

    after = Tail(pattern, kept, encode_at_random, sent.append)
    assert after.step()
    assert not after.step()
    after.close()

    assert len(sent) == 2
    assert len(set(sent)) == 1


def test_a_file_that_comes_and_is_rotated_while_a_batch_waits_is_read_all_the_same(log, tmp_path):
    kept, sent = CheckpointFile(tmp_path / "c.json"), []
    pattern = [str(tmp_path / "*.log")]

    def deliver(payload):
        if not sent:
            write(log, "in between\n")
            tail.look()
            log.rename(tmp_path / "a.log.1")
        sent.append(payload)

    write(tmp_path / "b.log", "first\n")
    tail = Tail(pattern, kept, joined, deliver)
    assert tail.step()
    tail.close()

    tail = Tail(pattern, kept, joined, deliver)
    assert tail.step()
    tail.close()

    assert sent == [b"first", b"in between"]
