"""A locale that knows only ASCII: names, notes and prompts are still UTF-8, and so is data."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import environment, result_of, seqzoo

ASCII: dict[str, Any] = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def in_ascii(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The command where the encoding of its streams, arguments and files is ASCII."""
    return seqzoo(*arguments, folder=folder, **ASCII)


_COMMANDS = [
    "--help",
    "help sample",
    "list",
    "show lstm",
    "leaderboard",
    "leaderboard --columns help",
    "runs",
    "compare runs/small runs/größe",
    "sample runs/größe -n 5",
    "eval runs/größe --split test",
    "doctor runs/größe --only environment",
]
_DATA = [
    "leaderboard --csv --columns run,static,note",
    "leaderboard --html",
    "leaderboard --json",
    "compare runs/small runs/größe --json",
]


@pytest.fixture(scope="module")
def renamed(finished: Path) -> Path:
    """The folder with a second run, whose name and note are not ASCII."""
    shutil.copytree(finished / "runs" / "small", finished / "runs" / "größe")
    (finished / "runs" / "größe" / "note.txt").write_text("größer – und\n", encoding="utf-8")
    return finished


@pytest.mark.parametrize("command", _COMMANDS)
def test_ascii_streams_can_encode_the_output_of_every_command(renamed: Path, command: str) -> None:
    done = in_ascii(*command.split(), folder=renamed)
    assert done.returncode in (0, 6), done.stderr
    assert "internal error" not in done.stderr
    assert done.stderr.isascii()
    if not command.startswith("sample"):  # which writes the bytes of the model
        assert done.stdout.isascii()


def test_ascii_streams_can_encode_a_message_about_any_name(renamed: Path) -> None:
    done = in_ascii("sample", "ЖЖ\udcff", folder=renamed)
    assert done.returncode == 2
    assert "\\xff" in done.stderr


@pytest.mark.parametrize("command", _DATA)
def test_data_for_programs_is_the_same_in_every_locale(renamed: Path, command: str) -> None:
    done = in_ascii(*command.split(), folder=renamed)
    assert done.returncode == 0, done.stderr
    assert done.stdout == seqzoo(*command.split(), folder=renamed).stdout


def test_arguments_are_utf_8_as_text_and_as_paths(renamed: Path) -> None:
    (renamed / "mit Größe").mkdir()
    words = "Die Größe der Läufe ist messbar.\n" * 400
    (renamed / "mit Größe" / "täglich.txt").write_text(words, encoding="utf-8")
    done = in_ascii(
        "run", "small.yaml", "--text", "mit Größe/täglich.txt", "--runs", "läufe", "--name", "d",
        "train.budget.steps=5", "sample.prompt=Größe", "--baselines", "none", folder=renamed,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert result_of(renamed / "läufe" / "d")["corpus"]["name"] == "täglich.txt"
    assert (
        next((renamed / "läufe" / "d" / "samples").iterdir())
        .read_bytes()
        .startswith("Größe".encode())
    )
    noted = in_ascii("runs", "note", "läufe/d", "größer als", folder=renamed)
    assert noted.returncode == 0, noted.stderr
    assert (renamed / "läufe" / "d" / "note.txt").read_text(encoding="utf-8") == "größer als\n"
    longer = in_ascii("resume", "läufe/d", "train.budget.steps=7", "--json", folder=renamed)
    assert longer.returncode == 0, longer.stderr
    assert json.loads(longer.stdout)["corpus"]["name"] == "täglich.txt"


def test_a_command_that_is_suggested_can_be_pasted(renamed: Path) -> None:
    done = in_ascii("eval", "runs/größe", "--baselines", "none", folder=renamed)
    [shown] = [each for each in done.stdout.splitlines() if "seqzoo sample" in each]
    command = shown.split("writes")[0].replace("seqzoo", f"'{sys.executable}' -m seqzoo")
    again = subprocess.run(
        ["bash", "-c", f"{command} -n 5"], cwd=renamed, env=environment(), capture_output=True
    )
    assert again.returncode == 0, again.stderr


def test_a_text_that_is_not_utf_8_is_an_error_in_one_sentence(finished: Path) -> None:
    locales: list[dict[str, Any]] = [{}, ASCII]
    for locale in locales:
        done = seqzoo("runs", "note", "runs/small", "gr\udcf6\udcdfe", folder=finished, **locale)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "'gr\\xf6\\xdfe' is not UTF-8" in done.stderr


def test_in_python_the_locale_is_named_and_not_a_plugin(finished: Path) -> None:
    for name in ("täglich.txt", "t\udce4glich.txt"):
        program = f"import seqzoo; seqzoo.run('small.yaml', text={name!a})"
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=finished, env=environment(**ASCII), capture_output=True, text=True,
        )  # fmt: skip
        error = done.stderr.splitlines()[-1]
        assert "the encoding of the locale is ASCII" in error
        assert "LC_ALL=C.UTF-8" in error
