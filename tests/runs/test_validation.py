"""Which part of the validation split is scored during training."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from commands import SMALL, seqzoo

from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.run import Run


@pytest.mark.parametrize("max_bytes", [700, 1_000_000])
def test_validation_in_training_scores_the_beginning_of_the_split_exactly(
    tmp_path: Path, max_bytes: int
) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    overrides = ["train.validation.every_steps=60", f"train.validation.max_bytes={max_bytes}"]
    finished = seqzoo("run", "small.yaml", *overrides, folder=tmp_path)
    assert finished.returncode == 0, finished.stderr
    metrics = (tmp_path / "runs/small/metrics.jsonl").read_text().splitlines()
    (logged,) = (line for line in map(json.loads, metrics) if "validation_accuracy" in line)

    experiment = Run(RunDirectory(tmp_path / "runs/small")).trained.experiment
    validation = experiment.data.splits.validation
    num_bytes = min(max_bytes, len(validation))
    text = torch.tensor(validation.data[validation.start - 1 : validation.start + num_bytes]).long()
    with torch.inference_mode():
        logits, _ = experiment.model(text[None, :-1], experiment.model.initial_state(1))
    nats = torch.nn.functional.cross_entropy(logits[0].double(), text[1:])
    assert logged["validation_bits_per_byte"] == pytest.approx(nats.item() / math.log(2), rel=1e-6)


def test_a_step_that_is_validated_and_logged_has_one_line(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    finished = seqzoo("run", "small.yaml", "train.budget.steps=30", folder=tmp_path)
    assert finished.returncode == 0, finished.stderr
    lines = (tmp_path / "runs/small/metrics.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in lines]
    assert steps == [5, 10, 15, 20, 25, 30]
    (validated,) = (line for line in map(json.loads, lines) if line["step"] == 25)
    assert {"validation_bits_per_byte", "bits_per_byte"} <= validated.keys()
