"""Every command with every kind of terminal, file and pipe as its standard streams."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import unicodedata
from pathlib import Path

import pytest
from commands import SMALL, environment, result_of, seqzoo
from made_runs import make_run

from seqzoo.training.manifest import Manifest


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
        if not select.select([ours], [], [], 60)[0]:  # it waits for an answer that nobody gives
            process.kill()
            shown += b" (killed after a minute without output)"
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


@pytest.mark.parametrize(
    ("ignored", "sent", "code"), [((), None, 129), (("SIGHUP",), "SIGTERM", 143)]
)
def test_a_run_is_saved_and_its_exit_code_holds_where_its_terminal_is_closed(
    finished: Path, tmp_path: Path, ignored: tuple[str, ...], sent: str | None, code: int
) -> None:
    finished = shutil.copytree(finished, tmp_path / "own")  # the order of tests does not matter
    ours, its_end = pty.openpty()

    def with_a_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # without it, closing the terminal sends no signal
        for number in (signal.SIGHUP, signal.SIGTERM):
            is_ignored = number.name in ignored
            signal.signal(number, signal.SIG_IGN if is_ignored else signal.SIG_DFL)

    name = f"closed-{code}"
    process = subprocess.Popen(
        [sys.executable, "-m", "seqzoo", "run", "small.yaml", "train.budget.steps=1000000",
         "train.validation.every_steps=1000000", "--name", name],
        cwd=finished, env=environment(TERM="xterm"), stdin=its_end, stdout=its_end, stderr=its_end,
        start_new_session=True, preexec_fn=with_a_terminal,
    )  # fmt: skip
    os.close(its_end)
    shown = b""
    while b"bits" not in shown:  # the line of progress: training has begun
        shown += os.read(ours, 4096)
    os.close(ours)
    if sent is not None:
        process.send_signal(getattr(signal, sent))
    assert process.wait(timeout=120) == code
    assert list((finished / "runs" / name / "checkpoints").glob("step-*/MANIFEST.json"))


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("seqzoo resume small train.budget.steps=61 2>/dev/full", 0),
        ("seqzoo resume small train.budget.steps=62 >/dev/full 2>&1", 3),
        ("seqzoo sample small -n 5 >/dev/full 2>&-", 3),
        ("seqzoo sample small -n 5 --raw >&-", 0),
        ("seqzoo run small.yaml train.steps=1 2>/dev/full >&-", 2),
    ],
)
def test_the_exit_code_says_what_happened_where_the_streams_are_lost(
    finished: Path, tmp_path: Path, command: str, code: int
) -> None:
    folder = shutil.copytree(finished, tmp_path / "own")  # the order of tests does not matter
    assert shell(command, folder).returncode == code


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


NAME = "x\x1b]0;owned\a\x9b31m\x85\u202e\u2066[red][link=a]"


def obeyed(shown: bytes) -> set[str]:
    """What a terminal obeys, except for the colours and the carriage returns that are ours."""
    text = re.sub(r"\x1b\[[\d;?]*[A-Za-z]|\r", "", shown.decode(errors="replace"))
    return {each for each in text if unicodedata.category(each) in ("Cc", "Cf")} - {"\n", "\t"}


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every name, and the text of every file, was chosen by a stranger."""
    folder = tmp_path_factory.mktemp("strangers")
    make_run(folder / "runs" / NAME, corpus_name=NAME, architecture=NAME, recipe=NAME)
    make_run(folder / "runs" / "other").result.write_text(f'{{"format_version": "{NAME}"}}')
    (folder / "runs" / NAME / "note.txt").write_text(NAME)
    (folder / f"{NAME}.yaml").write_text(SMALL.replace("lstm", json.dumps(NAME)))
    (folder / "plugin.yaml").write_text(f"{SMALL}plugins: [plugin.py]\n")
    (folder / "plugin.py").write_text(f"print({NAME!r}); raise RuntimeError({NAME!r})\n")
    checkpoint = folder / "runs" / NAME / "checkpoints" / "step-60"
    tensors = json.dumps({NAME: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    model = len(tensors).to_bytes(8, "little") + tensors + bytes(4)
    (checkpoint / "model.safetensors").write_bytes(model)
    manifest = json.loads((checkpoint / "MANIFEST.json").read_text())
    manifest["files"]["model.safetensors"] = {
        "bytes": len(model), "sha256": hashlib.sha256(model).hexdigest()
    }  # fmt: skip
    (checkpoint / "MANIFEST.json").write_bytes(Manifest.model_validate(manifest).content())
    return folder


@pytest.mark.parametrize(
    "command",
    [
        "leaderboard", "leaderboard --csv", "leaderboard --html", "leaderboard --json",
        "leaderboard --columns NAME", "compare NAME", "compare other", "runs", "runs show NAME",
        "resume NAME", "sample NAME", "run NAME.yaml", "run plugin.yaml --trust",
        "run small.yaml NAME=1", "show NAME", "NAME",
    ],
)  # fmt: skip
def test_a_terminal_obeys_no_name_and_no_text_that_a_stranger_chose(
    strangers: Path, command: str
) -> None:
    arguments = [word.replace("NAME", NAME) for word in command.split()]
    shown = in_terminal(*arguments, folder=strangers, TERM="xterm", NO_COLOR="")
    assert shown
    assert not obeyed(shown)


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
