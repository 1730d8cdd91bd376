import itertools
import random
import re

import pytest

from cli.generate.command import batch_size
from cli.generate.request_log import moments, request_lines
from cli.main import main
from cli.tail.lines import request_line
from config.settings import Settings

FEW = ["--interval", "0", "--max", "25", "--batch-size", "10"]


def generated(capsys, *arguments):
    """The lines that the command prints."""
    assert main(["generate", "--file", "-", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def test_every_line_is_one_of_the_request_log():
    start, count, interval = 1_700_000_000, 5000, 0.001
    endless = request_lines(random.Random(1), 5, moments(float(start), interval))

    read = [request_line(line) for line in itertools.islice(endless, count)]

    assert None not in read
    attributes = [line.attributes for line in read]
    customers = {each["customer.id"] for each in attributes}
    assert customers == {"cust_1", "cust_2", "cust_3", "cust_4", "cust_5"}
    failed = sum(each["http.response.status_code"] >= 400 for each in attributes)
    assert 0 < failed < count // 5
    seconds = {line.time_ns // 10**9 for line in read}
    assert seconds == set(range(start, start + 5))


def test_a_seed_and_a_start_make_the_same_lines_again(capsys):
    same = ["--seed", "7", "--start", "2024-09-14T16:15:35", *FEW]
    lines = generated(capsys, *same)
    assert lines == generated(capsys, *same)
    assert lines != generated(capsys, *same[2:], "--seed", "8")
    assert lines[0].startswith("2024-09-14 16:15:35 cust_")


def test_no_more_is_made_than_asked_for(capsys, monkeypatch):
    assert len(generated(capsys, *FEW)) == 25

    monkeypatch.setenv("MAX_LOGS_TO_GENERATE", "7")
    monkeypatch.setenv("LOG_INTERVAL_SECONDS", "0")
    assert len(generated(capsys)) == 7


def test_a_file_is_appended_to(tmp_path):
    file = tmp_path / "requests.log"
    for _ in range(2):
        assert main(["generate", "--file", str(file), *FEW]) == 0
    assert len(file.read_text().splitlines()) == 50


def test_progress_is_shown_beside_the_lines(capsys):
    assert main(["generate", "--file", "-", *FEW]) == 0
    assert re.search(r"100%.*25/25", capsys.readouterr().err)


def test_a_batch_is_as_large_as_the_environment_says_but_not_as_an_insert(monkeypatch):
    assert batch_size(Settings(), None) == 100
    assert batch_size(Settings(), 3) == 3

    monkeypatch.setenv("LOG_BATCH_SIZE", "250")
    assert batch_size(Settings(), None) == 250
    assert batch_size(Settings(), 3) == 3


@pytest.mark.parametrize(
    "wrong", [["--batch-size", "0"], ["--interval", "-1"], ["--interval", "nan"], ["--max", "-1"]]
)
def test_a_rate_that_cannot_be_is_refused(wrong, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["generate", *wrong])
    assert ended.value.code == 2
    assert wrong[0] in capsys.readouterr().err


def test_a_file_that_cannot_be_written_ends_with_a_sentence(tmp_path, capsys):
    assert main(["generate", "--file", str(tmp_path), *FEW]) == 1
    assert "Is a directory" in capsys.readouterr().err
