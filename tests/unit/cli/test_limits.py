import pytest

from cli.main import main
from ledger.limits import NAMES


def refusal(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["limits", *arguments])
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "text", "reason"),
    [
        ("--queries", "many", "a whole number, at least 1, or `none`"),
        ("--queries", "1.5", "a whole number, at least 1, or `none`"),
        ("--bytes-per-day", "0", "a whole number, at least 1, or `none`"),
        ("--bytes-per-day", "1e9", "a whole number, at least 1, or `none`"),
        ("--attribute-length", "31", "a whole number, at least 32, or `none`"),
        ("--records-per-second", "0", "a number above 0 or `none`"),
        ("--records-per-second", "-1", "a number above 0 or `none`"),
        ("--records-per-second", "nan", "a number above 0 or `none`"),
        ("--query-seconds", "inf", "a number above 0 or `none`"),
    ],
)
def test_a_wrong_limit_is_named_with_what_it_must_be(capsys, option, text, reason):
    said = refusal(capsys, f"{option}={text}")
    assert f"{option}: '{text}' must be {reason}" in said


@pytest.mark.parametrize("name", ["", "a b", "acme/web", "x" * 129])
def test_a_name_that_no_workspace_can_have_is_refused(capsys, name):
    assert "--workspace" in refusal(capsys, f"--workspace={name}", "--queries=1")


def test_an_unknown_limit_is_refused(capsys):
    assert "--recods-per-second" in refusal(capsys, "--recods-per-second=1")


def test_help_lists_every_limit(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["limits", "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert all(f"--{name.replace('_', '-')}" in said for name in NAMES)


def test_while_no_store_answers_it_ends_with_a_sentence(capsys, monkeypatch, free_port):
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")
    monkeypatch.setenv("CLICKHOUSE_PORT", str(free_port()))
    assert main(["limits"]) == 1
    assert "The limits cannot be read" in capsys.readouterr().err
    assert main(["limits", "--queries", "1"]) == 1
    said = capsys.readouterr().err
    assert "This cannot be recorded in the audit log" in said
    assert ".." not in said
