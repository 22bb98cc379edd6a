"""Commands and options that people know from other programs."""

from __future__ import annotations

import io
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from seqzoo import cli
from seqzoo.cli.interactive import converse
from seqzoo.plugin.registry import Registry
from seqzoo.version import __version__


def _commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        yield (*path, name), command
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))


def test_help_names_no_option_that_the_command_lacks() -> None:
    for path, command in _commands(typer.main.get_command(cli.app)):
        options = {option for each in command.params for option in each.opts}
        for each in command.params:
            named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", getattr(each, "help", "") or ""))
            assert named <= options, (path, each.name, named - options)


class Answer:
    """What the command line prints, called in this process, in a folder."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[bytes], folder: Path
    ) -> None:
        self._monkeypatch = monkeypatch
        self._capture = capture
        monkeypatch.chdir(folder)
        monkeypatch.setenv("COLUMNS", "80")

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "argv", ["seqzoo", *arguments])
        code = cli._exit_code()
        captured = self._capture.readouterr()
        return code, captured.out.decode(errors="replace"), captured.err.decode()

    def text(self, *arguments: str) -> str:
        """A sample of the run `small`."""
        code, text, messages = self("sample", "small", "-n", "40", *arguments)
        assert code == 0, messages
        return text


@pytest.fixture
def answer(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> Answer:
    return Answer(monkeypatch, capsysbinary, tmp_path)


@pytest.fixture
def with_run(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], finished: Path
) -> Answer:
    """The same in a folder with the run `small`."""
    return Answer(monkeypatch, capsysbinary, finished)


@pytest.mark.parametrize("arguments", [["version"], ["-V"], ["--version"]])
def test_the_version_is_shown_in_every_usual_way(answer: Answer, arguments: list[str]) -> None:
    assert answer(*arguments) == (0, f"seqzoo {__version__}\n", "")


def test_help_is_a_command_too(answer: Answer) -> None:
    assert answer("help") == answer("--help")
    assert answer("help", "sample") == answer("sample", "--help")
    assert answer("help", "smaple")[0] == 2


def test_without_a_command_the_help_is_shown_and_it_is_a_wrong_command_line(
    answer: Answer,
) -> None:
    code, shown, messages = answer()
    assert (code, messages) == (2, "")
    assert shown.strip() == answer("--help")[1].strip()


def test_help_ends_its_lines_without_blanks(answer: Answer) -> None:
    for arguments in (["--help"], ["run", "-h"], ["help", "sweep"]):
        lines = answer(*arguments)[1].splitlines()
        assert len(lines) > 5
        assert lines == [line.rstrip() for line in lines]


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        ("train recipe.yaml", "run"),
        ("generate runs/quick", "sample"),
        ("evaluate runs/quick", "eval"),
        ("ls", "list"),
        ("trian recipe.yaml", "run"),
        ("smaple runs/quick", "sample"),
        ("Run recipe.yaml", "run"),
        ("sample quick --temprature 1", "--temperature"),
        ("sample quick --topk 1", "--top-k"),
        ("list --jsn", "--json"),
        ("run a.yaml --nam b", "--name"),
    ],
)
def test_a_name_of_another_program_or_a_typo_is_answered_with_ours(
    answer: Answer, arguments: str, meant: str
) -> None:
    code, out, messages = answer(*arguments.split())
    assert (code, out) == (2, "")
    assert f"Did you mean '{meant}'?" in messages
    assert messages.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "setting"),
    [
        ("run a.yaml --lr 0.1", "train.optimizer.learning_rate=0.1"),
        ("run a.yaml --batch-size 8", "train.batch_size=8"),
        ("run a.yaml --steps=30", "train.budget.steps=30"),
        ("run a.yaml --train.budget.steps=30", "train.budget.steps=30"),
        ("doctor a.yaml --lr 0.1", "train.optimizer.learning_rate=0.1"),
    ],
)
def test_a_setting_with_dashes_is_answered_with_the_setting(
    answer: Answer, arguments: str, setting: str
) -> None:
    code, out, messages = answer(*arguments.split())
    assert (code, out) == (2, "")
    assert f"'{setting}'" in messages


@pytest.mark.parametrize(
    "arguments",
    ["run", "sample x --seed -1", "sample x --seed z", "sample x --count 0", "eval x --lanes 0",
     "list --json=3", "leaderboard --split", "sample x y", "xyz"],
)  # fmt: skip
def test_a_wrong_command_line_is_one_sentence(answer: Answer, arguments: str) -> None:
    code, out, messages = answer(*arguments.split())
    assert (code, out) == (2, "")
    assert messages.startswith("error: ")
    assert messages.count("\n") == 1


def test_every_sampler_is_an_option_of_sample(answer: Answer, registry: Registry) -> None:
    _, shown, _ = answer("sample", "--help")
    for name in registry.names("sampler"):
        assert f"--{name.replace('_', '-')}" in shown


def test_options_of_samplers_are_links_in_the_order_given_after_the_others(
    with_run: Answer,
) -> None:
    links = ("-s", "min_p=0.01", "-s", "top_k=5", "-s", "temperature=0.7")
    options = ("--top-k", "5", "-s", "min_p=0.01", "--temperature", "0.7")
    assert with_run.text(*options) == with_run.text(*links)
    greedy = with_run.text("-s", "greedy")
    assert with_run.text("-t", "0") == with_run.text("--greedy") == greedy
    assert with_run.text("-t", "2") != greedy


def test_a_wrong_value_of_a_sampler_is_one_sentence(with_run: Answer) -> None:
    code, _, messages = with_run("sample", "small", "--temperature", "hot")
    assert code == 2
    assert "'temperature=hot'" in messages
    assert "expected a number" in messages


@pytest.mark.parametrize(
    "command",
    ["eval small --split test", "compare small runs/small", "doctor small --only environment",
     "sample small -n 1"],
)  # fmt: skip
def test_a_run_is_found_by_its_name(with_run: Answer, command: str) -> None:
    code, _, messages = with_run(*command.split())
    assert code in (0, 6), messages


def test_a_run_is_found_by_its_name_in_another_folder(with_run: Answer, finished: Path) -> None:
    shutil.copytree(finished / "runs" / "small", finished / "others" / "moved")
    for command in ("sample moved -n 1", "eval moved --split test", "resume moved"):
        code, _, messages = with_run(*command.split(), "--runs", "others")
        assert code == 0, messages


def test_a_wrong_name_of_a_run_is_answered_with_the_nearest(with_run: Answer) -> None:
    code, _, messages = with_run("sample", "smal")
    assert code == 2
    assert "there is no run at runs/smal. Did you mean 'small'?" in messages


def test_a_path_wins_over_the_name_of_a_run(with_run: Answer, finished: Path) -> None:
    (finished / "small").mkdir()
    try:
        _, _, messages = with_run("sample", "small")
    finally:
        (finished / "small").rmdir()
    assert "small is not a run" in messages


def test_interactive_continues_every_line_of_a_pipe_with_the_next_seed(
    with_run: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart = [with_run.text("-p", text, "--seed", seed) for text, seed in (("AB", "3"), ("CD", "4"))]
    lines = io.TextIOWrapper(io.BytesIO(b"AB\nCD"))
    monkeypatch.setattr(sys, "stdin", lines)
    assert with_run.text("--interactive", "--seed", "3") == "".join(apart)


def test_interactive_reads_its_own_prompts(with_run: Answer) -> None:
    code, _, messages = with_run("sample", "small", "-i", "-p", "x")
    assert code == 2
    assert "leave out --prompt" in messages


def test_interrupting_a_text_asks_for_the_next_prompt(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = iter(["first", "second", "third"])

    def type_line(_: str) -> str:
        try:
            return next(typed)
        except StopIteration:
            raise KeyboardInterrupt from None

    continued: list[tuple[bytes, int]] = []

    def continue_(text: bytes, number: int) -> None:
        continued.append((text, number))
        if text == b"second":
            raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", type_line)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    converse(continue_)
    assert continued == [(b"first", 0), (b"second", 1), (b"third", 2)]
