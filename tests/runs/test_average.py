"""A run that averages its weights: both kinds are scored, and the better ones are the run's."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from commands import SMALL
from safetensors.torch import load_file

import seqzoo as api
from seqzoo.errors import RecipeError
from seqzoo.runs.verdict import Outcome
from seqzoo.runs.verify import verify
from seqzoo.runs.verify_resume import verify_resume
from seqzoo.training import checkpoint as checkpoints
from seqzoo.training.manifest import ALL_PARTS

RECIPE: Mapping[str, Any] = yaml.safe_load(SMALL)
NOISY: Mapping[str, Any] = {
    # A rate that is too high and does not fall: the weights jump, and their mean is better.
    "train.optimizer": {"name": "adamw", "learning_rate": 0.1},
    "train.schedule.decay": "constant",
    "train.budget.steps": 60,
    "train.validation.every_steps": 20,
    "baselines.include": [],
    "evaluate.max_bytes": 1000,
}
KINDS: Mapping[str, Mapping[str, Any]] = {
    "ema": {"train.average.ema.share": 0.1},
    "last_k": {"train.average.last_k": {"k": 3, "every_steps": 5}},
}
TRAINED, AVERAGED = (f"validation_bits_per_byte_{kind}" for kind in ("trained", "averaged"))


@pytest.fixture(scope="module", params=KINDS)
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    return api.run(RECIPE, {**NOISY, **KINDS[request.param]}, root=root).path


def validations(run: Path) -> dict[int, dict[str, float]]:
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return {line["step"]: line for line in lines if AVERAGED in line}


def test_the_result_says_whether_the_weights_are_averaged(finished: Path) -> None:
    found = validations(finished)
    assert [*found] == [20, 40, 60]
    for line in found.values():
        assert line["validation_bits_per_byte"] == min(line[TRAINED], line[AVERAGED])
    best = min(found.values(), key=lambda line: line["validation_bits_per_byte"])
    result = api.open_run(finished).result
    assert result is not None
    assert result.step == best["step"]
    assert result.averaged == (best[AVERAGED] < best[TRAINED])
    assert result.averaged, "the settings of this test make the average the better one"


def test_what_is_loaded_and_scored_has_the_averaged_weights(finished: Path) -> None:
    run = api.open_run(finished)
    stored = finished / "checkpoints" / f"step-{run.step}"
    beside = load_file(stored / ALL_PARTS["average"])
    for name, parameter in run.model.named_parameters():
        copies = [each for key, each in beside.items() if key.endswith(f"/{name}")]
        trained = beside[f"trained/{name}"]
        assert not torch.equal(parameter, trained)
        mean = (torch.stack(copies).sum(0) - trained) / (len(copies) - 1)
        torch.testing.assert_close(parameter.detach(), mean, rtol=1e-5, atol=1e-6)
    score = validations(finished)[run.step][AVERAGED]
    text = run.trained.experiment.data.splits.validation.bytes.tobytes()
    # Validation reads one byte before the text, and here there is none.
    allowed = 16 / len(text)
    assert run.score(text).bits_per_byte == pytest.approx(score, abs=allowed)
    assert abs(validations(finished)[run.step][TRAINED] - score) > 2 * allowed


def test_verify_finds_nothing_broken(finished: Path) -> None:
    found = {each.check: each for each in verify(api.open_run(finished))}
    broken = [each for each in found.values() if each.outcome is Outcome.BROKEN]
    assert not broken


def test_a_result_that_says_otherwise_is_broken(finished: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    result = json.loads((run / "result.json").read_text())
    (run / "result.json").write_text(json.dumps({**result, "averaged": False}))
    (broken,) = (e for e in verify(api.open_run(run)) if e.outcome is Outcome.BROKEN)
    assert "averaged is False, expected True" in broken.detail


def test_a_run_that_lost_its_last_steps_gets_the_same_bits_again(
    finished: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    shutil.rmtree(run / "checkpoints" / "step-60")
    (run / "result.json").unlink()
    stored = json.loads((run / "checkpoints" / "step-50" / "state.json").read_text())
    assert stored["averaged"], "the model of this checkpoint is not the one that is trained"
    again, whole = api.resume(run).result, api.open_run(finished).result
    assert again is not None
    assert whole is not None
    assert again.weights_sha256 == whole.weights_sha256
    assert again.averaged
    assert (run / "metrics.jsonl").read_text() == (finished / "metrics.jsonl").read_text()


def test_the_average_cannot_change_in_a_run(finished: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    longer = {"train.budget.steps": 80}
    with pytest.raises(RecipeError, match=r"train\.average cannot change in a run"):
        api.resume(run, {**longer, "train.average": None})
    with pytest.raises(RecipeError, match="average needs validation"):
        api.resume(run, {**longer, "train.validation.every_steps": 0})


def test_another_run_starts_from_the_averaged_weights(finished: Path, tmp_path: Path) -> None:
    start = {"train.start_from": str(finished), "train.budget.steps": 1}
    slow = {"train.optimizer.learning_rate": 1e-12, "train.validation.every_steps": 1}
    run = api.run(RECIPE, {**NOISY, **slow, **start}, root=tmp_path)
    for one, other in zip(
        run.model.parameters(), api.open_run(finished).model.parameters(), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


def test_verify_notices_averages_that_are_not_finite(finished: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    loaded = checkpoints.load(run / "checkpoints", 60)
    name = next(iter(loaded.average))
    worse = {**loaded.average, name: torch.full_like(loaded.average[name], torch.inf)}
    origin = json.loads((run / "origin.json").read_text())["id"]
    broken = replace(loaded, average=worse)
    checkpoints.save(run / "checkpoints", broken, keep=3, best=None, run=origin)
    found = {each.check: each for each in verify(api.open_run(run))}
    assert found["weights"].outcome is Outcome.BROKEN
    assert name in found["weights"].detail


def test_verify_resume_compares_the_averages(finished: Path) -> None:
    assert "same bits" in verify_resume(api.open_run(finished), before=3, after=3)
