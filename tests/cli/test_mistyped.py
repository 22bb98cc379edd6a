"""Settings that are typed as options are answered with the setting."""

from __future__ import annotations

import sys

import pytest

from seqzoo.cli import main
from seqzoo.cli.list import list_plugins
from seqzoo.plugin.registry import Registry


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["--train.budget.steps=30"], "'train.budget.steps=30'"),
        (["--train.budget.steps", "30"], "'train.budget.steps=30'"),
        (["--steps=30"], "'train.budget.steps=30'"),
        (["--lr", "0.1"], "'train.optimizer.learning_rate=0.1'"),
        (["--batch-size=4"], "'train.batch_size=4'"),
        (["--hidden_size=64"], "'hidden_size=64'"),
        (["--batch-size"], "'train.batch_size=VALUE'"),
        (["--seed=2"], "'train.seed=2' or 'sample.seed=2'"),
        (["--devise", "cpu"], "--device"),
        (["-x"], "-x"),
    ],
)
def test_a_setting_with_dashes_is_answered_without_them(
    arguments: list[str],
    answer: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["seqzoo", "run", "recipe.yaml", *arguments])
    with pytest.raises(SystemExit, match="2"):
        main()
    said = capsys.readouterr().err
    assert answer in said
    assert ("a setting has no dashes" in said) is answer.startswith("'")


def test_a_command_without_settings_keeps_its_own_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["seqzoo", "sample", "run", "--lr=3"])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert "setting" not in capsys.readouterr().err


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
