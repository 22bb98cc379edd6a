"""What a card has, of which runs one can be made, and how a damaged one is refused."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from carded_runs import carded, train, written

import seqzoo
from seqzoo.cards.card import Card, card_schema, card_text, read_card
from seqzoo.errors import NewerFormatError, SeqzooError, UsageError
from seqzoo.runs.directory import RunDirectory
from seqzoo.training.checkpoint_files import weights_sha256


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("cards"), "tiny", evaluate__adaptive={})


@pytest.fixture
def card(run: Path) -> Card:
    return carded(run)


def test_a_card_is_read_as_it_was_written(card: Card, tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text(card_text(card))
    assert read_card(tmp_path / "card.json") == card
    jsonschema.validate(json.loads(card_text(card)), card_schema())


def test_a_card_has_the_weights_the_scores_and_the_recipe_of_the_run(card: Card, run: Path) -> None:
    opened = seqzoo.open_run(run)
    result = opened.result
    assert result is not None
    directory = RunDirectory(run)
    assert card.result.weights_sha256 == weights_sha256(directory.checkpoints, result.step)
    assert card.result.adaptive is not None
    assert result.adaptive is not None
    for ours, theirs in (
        (card.result.scores, result.scores),
        (card.result.adaptive.scores, result.adaptive.scores),
    ):
        assert ours.keys() == theirs.keys()
        for split, score in theirs.items():
            assert ours[split].bits_per_byte == score.bits_per_byte
            assert ours[split].blocks == pytest.approx(score.blocks, rel=1e-7)
    assert card.recipe["train"] == opened.recipe.as_data()["train"]
    assert card.kernels
    assert {"architecture gru", "corpus pastiche", "optimizer adamw"} <= card.plugins.keys()
    assert not card.needs


def test_a_card_has_no_path_of_the_machine(card: Card, run: Path) -> None:
    text = card_text(card)
    for folder in (run.parent, Path.cwd(), Path.home()):
        assert str(folder) not in text


def test_the_text_of_the_fallback_is_the_text_of_the_card(tmp_path: Path) -> None:
    missing = {"name": "enwik8", "options": {"download": False}}
    used = {"name": "pastiche", "options": {"size_bytes": 8000}}
    with pytest.warns(seqzoo.SeqzooWarning, match="not available"):
        run = train(tmp_path, "fell_back", corpus=missing | {"fallback": used})
    corpus = carded(run).recipe["corpus"]
    assert (corpus["name"], corpus["fallback"]) == ("pastiche", None)
    assert corpus["options"]["size_bytes"] == 8000


def test_trackers_are_left_out(tmp_path: Path) -> None:
    run = train(
        tmp_path,
        "tracked",
        trackers=[{"name": "csv", "options": {"path": str(tmp_path / "a.csv")}}],
    )
    assert carded(run).recipe["trackers"] == []


def test_seeds_are_kept_with_their_scores(run: Path) -> None:
    other = train(run.parent, "tiny-2", train__seed=2, evaluate__adaptive={})
    card = carded(run, other)
    found = seqzoo.open_run(other).result
    assert found is not None
    (seed,) = card.seeds
    assert (seed.seed, seed.weights_sha256) == (2, found.weights_sha256)
    assert card.tests[1].bits_per_byte == found.scores["test"].bits_per_byte


def copied(run: Path, folder: Path) -> Path:
    return Path(shutil.copytree(run, folder / "copy"))


def test_a_run_that_is_not_finished_has_no_card(run: Path, tmp_path: Path) -> None:
    copy = copied(run, tmp_path)
    (copy / "result.json").unlink()
    with pytest.raises(UsageError, match="is not scored, and a card is made of a finished run"):
        carded(copy)


def test_a_run_with_another_budget_than_at_its_start_has_no_card(run: Path, tmp_path: Path) -> None:
    copy = copied(run, tmp_path)
    seqzoo.resume(copy, {"train.budget.steps": 8})
    with pytest.raises(UsageError, match=r"changed from 6 to 8 at step 6"):
        carded(copy)


def test_a_recipe_that_was_edited_later_has_no_card(run: Path, tmp_path: Path) -> None:
    copy = copied(run, tmp_path)
    recipe = copy / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("budget: {steps: 6}", "budget: {steps: 5}"))
    with pytest.raises(UsageError, match=r"was edited after the training: train\.budget"):
        carded(copy)


def test_a_result_of_other_weights_has_no_card(run: Path, tmp_path: Path) -> None:
    copy = copied(run, tmp_path)
    result = json.loads((copy / "result.json").read_text())
    result["weights_sha256"] = "0" * 64
    (copy / "result.json").write_text(json.dumps(result))
    with pytest.raises(UsageError, match="scores of other weights"):
        carded(copy)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"members": [{"run": "a", "step": 1, "weights_sha256": "0" * 64, "weight": 1.0}]},
            "is an ensemble of a, which is not trained itself",
        ),
        ({"ranks": 2}, "was trained by 2 processes together"),
    ],
)
def test_what_one_process_does_not_train_has_no_card(
    run: Path, tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    copy = copied(run, tmp_path)
    result = json.loads((copy / "result.json").read_text())
    (copy / "result.json").write_text(json.dumps(result | changes))
    with pytest.raises(UsageError, match=says):
        carded(copy)


def test_further_runs_differ_only_in_their_seed(run: Path, tmp_path: Path) -> None:
    other = train(tmp_path, "other", train__seed=2, train__optimizer__learning_rate=0.02)
    with pytest.raises(UsageError, match="has another recipe than"):
        carded(run, other)
    with pytest.raises(UsageError, match="two of the runs have seed 1"):
        carded(run, run)


NEED = {"kind": "plugin file", "name": "a.py", "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"format_version": 2}, NewerFormatError, "format version 2"),
        ({"result.format_version": 9}, NewerFormatError, "format version 9"),
        ({"recipe": []}, UsageError, "is damaged: recipe: "),
        (
            {"result.scores": {}, "result.adaptive": None},
            UsageError,
            "there is no score on test with its blocks",
        ),
        ({"result.weights_sha256": "../../../"}, UsageError, "the weights have no sha256"),
        ({"needs": [NEED | {"name": "a/b.py"}]}, UsageError, "is damaged: needs.0.name: "),
        ({"needs": [NEED | {"name": ".."}]}, UsageError, "'..' is not beside the card"),
        ({"result.steps": -1}, UsageError, "is damaged: result.steps: "),
        ({"result.scores.test.bits_per_byte": 1.0}, UsageError, "not the same score"),
    ],
)
def test_a_damaged_or_newer_card_is_one_sentence(
    card: Card, tmp_path: Path, changes: dict[str, Any], error: type[SeqzooError], says: str
) -> None:
    path = written(tmp_path / "card.json", card, changes)
    with pytest.raises(error) as caught:
        read_card(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"null", b"\xff", b"{" * 9999, b'{"a": NaN}']
)
def test_what_is_no_card_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "card.json").write_bytes(content)
    with pytest.raises(UsageError, match="seqzoo card RUN writes one") as caught:
        read_card(tmp_path / "card.json")
    assert "\n" not in str(caught.value)


def test_a_pipe_is_no_card(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "card.json")
    with pytest.raises(UsageError, match="cannot be read"):
        read_card(tmp_path / "card.json")
