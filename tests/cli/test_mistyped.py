"""Settings that are typed as options are answered with the setting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer
from commands import seqzoo
from made_runs import make_run

from seqzoo.cli import app
from seqzoo.cli.group import is_wrong_command_line, sentence_of
from seqzoo.cli.list import list_plugins
from seqzoo.cli.meant import OPTIONS
from seqzoo.cli.mistyped import as_setting
from seqzoo.plugin.registry import Registry


def answer_to(*arguments: str) -> str | None:
    """What the program says of a wrong command line; None for Typer's own answer."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 (it has no public name)
        app(list(arguments), standalone_mode=False)
    assert is_wrong_command_line(caught.value)
    return as_setting(caught.value, arguments)


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        (["--train.budget.steps=30"], "'train.budget.steps=30'"),
        (["--train.budget.steps", "30"], "'train.budget.steps=30'"),
        (["--steps=30"], "'train.budget.steps=30'"),
        (["--lr", "0.1"], "'train.optimizer.learning_rate=0.1'"),
        (["--batch-size=4"], "'train.batch_size=4'"),
        (["--hidden_size=64"], "'hidden_size=64'"),
        (["--batch-size"], "'train.batch_size=VALUE'"),
        (["--seed=2"], "'train.seed=2' or 'sample.seed=2'"),
    ],
)
def test_a_setting_with_dashes_is_answered_without_them(
    arguments: list[str], settings: str
) -> None:
    option = arguments[0].partition("=")[0]
    expected = f"there is no option {option}; a setting has no dashes: {settings}."
    assert answer_to("run", "recipe.yaml", *arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--file", "notes.txt"], "notes.txt"),
        (["--data=my notes"], "'my notes'"),
        (["--input"], "FILE"),
        (["--dataset", "a*.txt"], "'a*.txt'"),
    ],
)
def test_other_names_of_the_users_text_are_answered_with_text(
    arguments: list[str], text: str
) -> None:
    option = arguments[0].partition("=")[0]
    expected = f"there is no option {option}; give your own text with --text: --text {text}"
    assert answer_to("run", "recipe.yaml", *arguments) == expected


@pytest.mark.parametrize(
    "arguments",
    [("run", "recipe.yaml", "--devise", "cpu"), ("run", "recipe.yaml", "-x"), ("sample", "--lr=3")],
)
def test_another_mistake_keeps_its_own_answer(arguments: tuple[str, ...]) -> None:
    assert answer_to(*arguments) is None


@pytest.mark.parametrize("kind", ["tracker", "trackers"])
def test_a_kind_without_plugins_is_a_sentence_and_not_an_empty_table(
    kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("seqzoo.cli.plugins.installed", Registry)
    list_plugins(kind)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == ("No tracker is installed; docs/plugins.md shows how to write one.\n")
    list_plugins(kind, as_json=True)
    assert capsys.readouterr().out == "[]\n"


def test_a_name_of_a_kind_without_plugins_is_answered_with_the_page_about_plugins() -> None:
    expected = (
        "tracker 'csv' is not installed. No tracker is installed; docs/plugins.md shows how to "
        "write one."
    )
    assert Registry().explain_missing("tracker", "csv") == expected


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (("sample", "--temp", "0.5"), "--temperature"),
        (("sample", "--prompt-f", "x"), "--prompt-file"),
        (("sample", "--lenght", "3"), "--length"),
        (("eval", "--max", "3"), "--max-bytes"),
        (("leaderboard", "--colums", "run"), "--columns"),
        (("doctor", "x", "--mended", "f"), ""),
        (("sample", "--fish", "3"), ""),
        (("runs", "--weight"), ""),
        (("bench", "-z"), ""),
    ],
)
def test_a_wrong_option_is_answered_with_the_one_that_it_begins_or_with_a_close_one(
    arguments: tuple[str, ...], meant: str
) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 (it has no public name)
        app(list(arguments), standalone_mode=False)
    said = sentence_of(caught.value)
    assert "has no option" in said
    assert said.partition("Did you mean ")[2].partition("?")[0] == (f"'{meant}'" if meant else "")


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        (
            ["sweep", "s.yaml", "train.budget.steps=30", "train.seed=2"],
            "seqzoo sweep does not take 'train.budget.steps=30', 'train.seed=2'. Settings of all "
            "members are in the grid file: write 'set: {train.budget.steps: 30, train.seed: 2}' "
            "in s.yaml.",
        ),
        (
            ["sample", "quick", "JULIET: my", "--count", "2"],
            "seqzoo sample does not take 'JULIET: my'. Did you mean: seqzoo sample quick "
            "-p 'JULIET: my'",
        ),
        (
            ["sample", "quick", "temperature=0.8", "To", "be"],
            "seqzoo sample does not take 'temperature=0.8', 'To', 'be'. Did you mean: seqzoo "
            "sample quick -p 'To be' -s temperature=0.8",
        ),
        (
            ["eval", "quick", "a b.txt"],
            "seqzoo eval does not take 'a b.txt'. To score a text: seqzoo eval quick --file "
            "'a b.txt'",
        ),
        (
            ["eval", "quick", "evaluate.lanes=2"],
            "seqzoo eval does not take 'evaluate.lanes=2'. To change settings of the run: seqzoo "
            "resume quick evaluate.lanes=2",
        ),
        (
            ["runs", "show", "a", "b"],
            "seqzoo runs show does not take 'b'. Give one run: seqzoo runs show b",
        ),
        (
            ["schema", "recipe", "more"],
            "seqzoo schema does not take 'more'. See 'seqzoo schema --help'.",
        ),
        (
            ["resume", "quick", "--text", "F"],
            "seqzoo resume has no option '--text'. See 'seqzoo resume --help'.",
        ),
        (
            ["run", "quick", "--output", "out"],
            "seqzoo run has no option '--output'. Did you mean '--runs'? See 'seqzoo run --help'.",
        ),
        (
            ["eval", "quick", "--text", "F"],
            "seqzoo eval has no option '--text'. Did you mean '--file'? See 'seqzoo eval --help'.",
        ),
    ],
)
def test_an_argument_of_another_form_is_answered_with_the_form(
    typed: list[str], answer: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Exception) as caught:  # noqa: PT011 (it has no public name)
        app(typed, prog_name="seqzoo", standalone_mode=False)
    assert as_setting(caught.value, typed) is None
    assert sentence_of(caught.value, typed) == answer


def test_every_option_that_is_meant_exists() -> None:
    group: Any = typer.main.get_command(app)
    for (command, option), meant in OPTIONS.items():
        options = {name for each in group.commands[command].params for name in each.opts}
        assert meant in options
        assert option not in options


def test_a_run_is_shown_with_another_command(tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "m")
    for name in ("runs/m", "m"):
        done = seqzoo("show", name, folder=tmp_path)
        assert done.returncode == 2
        assert done.stderr.endswith(f"It is a run; to show it: seqzoo runs show {name}\n")
        assert seqzoo("runs", "show", name, folder=tmp_path).returncode == 0


def test_the_axis_of_curves_is_one_of_three(tmp_path: Path) -> None:
    done = seqzoo("compare", "a", "--x", "minutes", folder=tmp_path)
    assert (done.returncode, done.stderr) == (
        2, "error: --x is 'minutes', expected steps, bytes or seconds.\n",
    )  # fmt: skip
