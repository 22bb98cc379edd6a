"""The expected time of training: what it counts, and that measuring it changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from commands import SMALL

import seqzoo
from seqzoo.recipes.sections import TrainSection
from seqzoo.runs.expected import tokens_of_budget

RECIPE: dict[str, Any] = yaml.safe_load(SMALL)


def counted(section: TrainSection, *, bytes_per_token: float, epoch_tokens: int) -> int:
    """Tokens of a training that is played through, update by update."""
    tokens = step = 0
    while True:
        progress = section.budget.share(
            steps=step, bytes=tokens * bytes_per_token, epochs=tokens / epoch_tokens, seconds=0
        )
        if progress >= 1:
            return tokens
        length = section.bptt_length_at(progress)
        tokens += section.batch_size * length * section.accumulation_steps
        step += 1


@pytest.mark.parametrize(
    "section",
    [
        {"budget": {"steps": 400}},
        {"budget": {"bytes": 300_000}},
        {"budget": {"epochs": 2.5}},
        {"budget": {"steps": 400, "epochs": 1}},
        {"budget": {"steps": 300}, "accumulation_steps": 3},
        {
            "budget": {"steps": 1000},
            "bptt_length": [{"from": 0, "length": 16}, {"from": 0.25, "length": 64}],
        },
    ],
)
def test_the_tokens_of_a_budget_are_those_that_training_reads(section: dict[str, Any]) -> None:
    checked = TrainSection.model_validate({"batch_size": 4, "bptt_length": 32, **section})
    sizes = {"bytes_per_token": 1.7, "epoch_tokens": 50_000}
    one_update = 4 * 64 * 3
    assert tokens_of_budget(checked, **sizes) == pytest.approx(  # type: ignore[arg-type]
        counted(checked, **sizes),  # type: ignore[arg-type]
        abs=one_update,
    )


def test_a_run_that_shows_its_expected_time_has_the_bits_of_a_silent_one(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    overrides = {"train.budget.steps": 12, "architecture.options.dropout": 0.5}
    silent = seqzoo.run(RECIPE, overrides, root=tmp_path, name="silent")
    shown = seqzoo.run(RECIPE, overrides, root=tmp_path, name="shown", show_progress=True)
    assert "expected time" in capfd.readouterr().err
    assert silent.result is not None
    assert shown.result is not None
    assert silent.result.weights_sha256 == shown.result.weights_sha256
    assert silent.result.scores == shown.result.scores


def test_a_model_that_cannot_be_copied_is_trained_without_an_expected_time(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise TypeError("cannot be copied")

    monkeypatch.setattr(torch.nn.Module, "__deepcopy__", refuse, raising=False)
    run = seqzoo.run(RECIPE, {"train.budget.steps": 6}, root=tmp_path, show_progress=True)
    assert run.result is not None
    lines = capfd.readouterr().err.splitlines()
    assert not [x for x in lines if x.startswith("expected time") and "training" in x]


def test_a_budget_of_seconds_is_its_own_expected_time(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = {**RECIPE, "train": {**RECIPE["train"], "budget": {"seconds": 2}}}
    seqzoo.run(data, root=tmp_path, show_progress=True)
    (line,) = [x for x in capfd.readouterr().err.splitlines() if x.startswith("expected time")]
    assert "training about 2 s" in line
