"""`train.start_from` uses only the weights of another run, and the result records them."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
import yaml
from commands import SMALL

import seqzoo

RECIPE: Mapping[str, Any] = yaml.safe_load(SMALL)
OTHER_TEXT = {"corpus.options.seed": 5, "corpus.options.size_bytes": 20_000}


def weights(run: seqzoo.Run, step: int) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(run.path / f"checkpoints/step-{step}/model.safetensors")


@pytest.mark.parametrize("tokenizer", ["bytes", "chars"])
def test_training_starts_from_the_best_weights_of_the_run(tmp_path: Path, tokenizer: str) -> None:
    own = {"tokenizer.name": tokenizer, "train.budget.steps": 20, "train.checkpoint.keep": 9}
    first = seqzoo.run(RECIPE, own, root=tmp_path, name="first")
    started = {"train.start_from": str(first.path), **OTHER_TEXT, **own}
    second = seqzoo.run(RECIPE, started, root=tmp_path, name="second")
    source, begun = weights(first, first.step), weights(second, 0)
    assert source.keys() == begun.keys()
    assert all(torch.equal(source[name], begun[name]) for name in source)
    assert second.tokenizer.state() == first.tokenizer.state()
    assert second.metrics()["step"][0] == 5
    assert first.result is not None
    assert second.result is not None
    record = second.result.started_from
    assert first.result.started_from is None
    assert record is not None
    assert (record.path, record.step) == (str(first.path), first.step)
    assert record.weights_sha256 == first.result.weights_sha256


def test_a_resumed_run_records_the_weights_that_it_started_from(tmp_path: Path) -> None:
    short = {"train.budget.steps": 20}
    first = seqzoo.run(RECIPE, short, root=tmp_path, name="first")
    started = {"train.start_from": str(first.path), **short}
    second = seqzoo.run(RECIPE, started, root=tmp_path, name="second")
    assert second.result is not None
    (second.path / "result.json").unlink()
    shutil.rmtree(second.path / "checkpoints" / "step-20")
    shutil.rmtree(first.path)  # no longer needed
    again = seqzoo.resume(second.path)
    assert again.result is not None
    assert again.result.weights_sha256 == second.result.weights_sha256
    assert again.result.started_from == second.result.started_from


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architecture.options.hidden_size": 8}, r"architecture of .*hidden_size=16.*=8"),
        ({"tokenizer.name": "chars"}, r"tokenizer of .*'bytes'.*'chars'"),
    ],
)
def test_another_architecture_or_tokenizer_is_an_error(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    short = {"train.budget.steps": 6, "train.validation.every_steps": 0}
    first = seqzoo.run(RECIPE, short, root=tmp_path, name="first")
    with pytest.raises(seqzoo.UsageError, match=message):
        seqzoo.run(RECIPE, {"train.start_from": str(first.path), **change}, root=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["first"]


def test_a_missing_run_is_reported_before_training(tmp_path: Path) -> None:
    with pytest.raises(seqzoo.UsageError, match="there is no run at"):
        seqzoo.run(RECIPE, {"train.start_from": str(tmp_path / "none")}, root=tmp_path)


def test_weights_that_may_have_seen_the_test_part_are_warned_of(tmp_path: Path) -> None:
    short = {"train.budget.steps": 6, "train.validation.every_steps": 0}
    first = seqzoo.run(RECIPE, short, root=tmp_path, name="first")
    started = {"train.start_from": str(first.path), **short}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        seqzoo.run(RECIPE, started, root=tmp_path)
    for change in (OTHER_TEXT, {"corpus.split": {"train": 0.5, "validation": 0.25, "test": 0.25}}):
        with pytest.warns(UserWarning, match="another corpus or split"):
            seqzoo.run(RECIPE, {**started, **change}, root=tmp_path)
