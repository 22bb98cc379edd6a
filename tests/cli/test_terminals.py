"""Every command with every kind of terminal, file and pipe as its standard streams."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from commands import environment, result_of, seqzoo


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """`seqzoo` in a shell command line is the command line of these tests."""
    line = command.replace("seqzoo", f"'{sys.executable}' -m seqzoo", 1)
    return subprocess.run(
        ["sh", "-c", line], cwd=folder, env=environment(), capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("seqzoo list >/dev/full", 3),
        ("seqzoo leaderboard --csv >/dev/full", 3),
        ("seqzoo --help >/dev/full", 3),
        ("seqzoo list 2>/dev/full", 0),
        ("seqzoo bogus 2>/dev/full", 2),
        ("seqzoo bogus 2>&-", 2),
        ("seqzoo list >&-", 0),
        ("seqzoo list <&- >&- 2>&-", 0),
        ("seqzoo leaderboard | true", 0),
        ("seqzoo schema | head -c 5", 0),
    ],
)
def test_a_stream_that_is_full_or_closed_is_no_internal_error(
    finished: Path, command: str, code: int
) -> None:
    done = shell(command, finished)
    assert done.returncode == code, done.stderr
    expected = ["The results could not be printed: No space left on device"] if code == 3 else []
    assert [line for line in expected if line not in done.stderr] == []
    assert done.stderr.count("\n") == len(expected)


@pytest.mark.parametrize("lost", [">/dev/full", "2>/dev/full"])
def test_a_run_whose_output_is_lost_is_saved(finished: Path, lost: str) -> None:
    name = f"lost-{len(lost)}"
    done = shell(f"seqzoo run small.yaml train.budget.steps=5 --name {name} {lost}", finished)
    assert done.returncode == (3 if lost == ">/dev/full" else 0), done.stderr
    assert result_of(finished / "runs" / name)["steps"] == 5


def test_no_file_of_a_run_takes_the_place_of_a_closed_stream(finished: Path) -> None:
    """A file that is opened where stderr was would get the messages."""
    shell("seqzoo run small.yaml train.budget.steps=5 --name closed 2>&- >&-", finished)
    run = finished / "runs" / "closed"
    for path in (run / "metrics.jsonl", run / "timing.jsonl", run / "recipe.yaml"):
        assert "scoring" not in path.read_text()
    assert result_of(run)["steps"] == 5


def in_terminal(*arguments: str, folder: Path, columns: int = 80, **changes: str) -> bytes:
    """Everything that the command writes to a terminal."""
    ours, its_end = pty.openpty()
    fcntl.ioctl(its_end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "seqzoo", *arguments],
        cwd=folder,
        env=environment(**changes),
        stdin=its_end,
        stdout=its_end,
        stderr=its_end,
    )
    os.close(its_end)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # Linux reports so that the other end is closed
            break
        if not piece:
            break
        shown += piece
    process.wait()
    os.close(ours)
    return shown


def test_print_and_file_names_reach_a_terminal_as_text_and_styles_as_styles(
    finished: Path,
) -> None:
    folder = finished / "runs" / "\x1b[31mred\x07"
    shutil.copytree(finished / "runs" / "small", folder)
    try:
        for arguments in (["eval", str(folder), "--split", "test"], ["leaderboard", "--csv"]):
            shown = in_terminal(*arguments, folder=finished, TERM="xterm")
            assert b"\x1b[31m" not in shown
            assert b"\x07" not in shown
            assert "\N{SYMBOL FOR ESCAPE}[31mred".encode() in shown
    finally:
        shutil.rmtree(folder)
    assert b"\x1b[1m" in in_terminal("list", folder=finished, TERM="xterm")
    assert b"\x1b[1m" in in_terminal("--help", folder=finished, TERM="xterm")


def test_a_dumb_terminal_gets_lines_with_a_percentage(finished: Path) -> None:
    shown = in_terminal(
        "run", "small.yaml", "train.budget.steps=5", "--name", "dumb", folder=finished, TERM="dumb"
    )
    assert b"training 100%" in shown
    assert b"\x1b" not in shown


@pytest.mark.parametrize("columns", [60, 80, 200])
@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_lines_fit_into_the_terminal_and_use_it(finished: Path, term: str, columns: int) -> None:
    shown = in_terminal("list", folder=finished, TERM=term, COLUMNS="", columns=columns).decode()
    lines = [line.rstrip() for line in re.sub(r"\x1b\[\d*m", "", shown).splitlines()]
    assert min(80, columns - 20) < max(map(len, lines)) <= columns


@pytest.fixture(scope="module")
def escaping(finished: Path) -> Path:
    """A run that has learnt to write ESC, BEL and a C1 control, and nothing else."""
    text = "\x1b[31m\x07\x9b\n" * 4000
    (finished / "log.txt").write_text(text, encoding="utf-8")
    done = seqzoo(
        "run", "small.yaml", "corpus={name: file, options: {path: log.txt}}",
        "train.budget.steps=100", "--name", "escaping", folder=finished,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return finished


def test_a_terminal_shows_the_control_characters_of_a_model_and_obeys_none(escaping: Path) -> None:
    command = ("sample", "escaping", "-p", "[31m", "-n", "60", "--greedy")
    printed = in_terminal(*command, folder=escaping, TERM="xterm").decode()
    _, _, shown = printed.partition("\n")  # the first line is seqzoo's own, in dim text
    assert not set("\x1b\x07\x9b") & set(shown)
    assert "\N{SYMBOL FOR ESCAPE}" in shown
    raw = in_terminal(*command, "--raw", folder=escaping, TERM="xterm")
    assert b"\x1b" in raw
    assert b"\x1b" in seqzoo(*command, folder=escaping).stdout.encode()


def test_a_missing_folder_is_named_and_nothing_else_is_guessed(finished: Path) -> None:
    pytest.importorskip("matplotlib")
    done = seqzoo(
        "compare", "runs/small", "runs/small", "--picture", "nodir/c.png", folder=finished
    )
    assert done.returncode == 2
    assert "there is no folder nodir; make it with 'mkdir -p nodir'" in done.stderr
    assert done.stderr.count("\n") == 1
