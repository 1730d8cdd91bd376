import pytest

from cli.main import main


def test_a_wrong_setting_ends_with_a_sentence_that_names_it(monkeypatch, capsys):
    monkeypatch.setenv("API_PORT", "eighty")
    assert main(["settings"]) == 2
    assert "API_PORT='eighty'" in capsys.readouterr().err


def test_without_a_command_the_commands_are_listed(capsys):
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    assert "COMMAND" in capsys.readouterr().err


def test_settings_shows_values_defaults_and_no_passwords(monkeypatch, capsys):
    monkeypatch.setenv("API_PORT", "8001")
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", "hunter2")
    monkeypatch.setenv("REDIS_URL", "rediss://user:hunter2@broker:6379/1")

    assert main(["settings"]) == 0

    shown = capsys.readouterr().out
    assert "API_PORT=8001   (default: 8000)" in shown
    assert "REDIS_URL=rediss://user:*****@broker:6379/1" in shown
    assert "hunter2" not in shown


def test_settings_shows_no_password_of_several_brokers(monkeypatch, capsys):
    monkeypatch.setenv("REDIS_URL", "redis://a:hunter2@one:1, redis://:hunter3@two:2#closed")
    assert main(["settings"]) == 0
    shown = capsys.readouterr().out
    assert "REDIS_URL=redis://a:*****@one:1,redis://:*****@two:2#closed" in shown
    assert "hunter" not in shown
