"""Settings that are typed as options are answered with the setting."""

from __future__ import annotations

import pytest

from seqzoo.cli import app
from seqzoo.cli.group import is_wrong_command_line, sentence_of
from seqzoo.cli.list import list_plugins
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
