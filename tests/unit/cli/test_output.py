import io
import os

from cli.output import Output


def test_output_that_nobody_reads_any_more_is_still_taken_from_the_process():
    class Gone(io.StringIO):
        def write(self, _):
            raise BrokenPipeError

    more_than_a_pipe_holds = b"a line of output\n" * 100_000
    with (
        Output(["api"], Gone()) as output,
        os.fdopen(os.dup(output.writing_ends["api"]), "wb") as pipe,
    ):
        assert pipe.write(more_than_a_pipe_holds) == len(more_than_a_pipe_holds)


def test_a_character_that_the_terminal_cannot_show_does_not_silence_what_follows():
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    with Output(["api"], terminal) as output:
        output.line("api", "\N{SNOWMAN}")
        output.line("api", "after")
    assert b"after" in terminal.buffer.getvalue()


def test_names_are_padded_to_the_longest():
    stream = io.StringIO()
    with Output(["clickhouse", "api"], stream) as output:
        output.line("api", "short")
        output.say("own")

    # Each line begins with the time of day.
    lines = [line[9:] for line in stream.getvalue().splitlines()]
    assert lines == [
        "api        | short",
        "sheaf      | own",
    ]


def test_what_is_within_a_line_of_a_process_begins_no_line_of_its_own(wait_until):
    stream = io.StringIO()
    written = "GET /\x85forged\u2028\x0b\x1b[2K\tx\nnext\n"

    with Output(["api"], stream) as output:
        os.write(output.writing_ends["api"], written.encode())
        wait_until(lambda: "next" in stream.getvalue())

    [first, second] = stream.getvalue().splitlines()
    assert "GET /\\x85forged\\u2028\\x0b\\x1b[2K" in first
    assert second.endswith("next")
