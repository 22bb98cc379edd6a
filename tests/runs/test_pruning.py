"""A pruned run keeps its best and its last weights, and can be sampled and scored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import SMALL
from made_runs import make_run

import seqzoo
from seqzoo.errors import LockedError, UsageError
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.pruning import freed_bytes, prune, require_finished
from seqzoo.runs.status import RunState, status_of

RECIPE: dict[str, Any] = yaml.safe_load(SMALL)


def test_the_best_and_the_last_weights_stay(tmp_path: Path) -> None:
    directory = make_run(tmp_path / "a", steps=(20, 40, 60), best=20)
    before = status_of(directory).size_bytes
    expected = freed_bytes(directory)
    assert status_of(directory).size_bytes == before
    assert prune(directory) == expected
    # The manifests have become shorter, which is not counted; the lock is new.
    assert before - status_of(directory).size_bytes == pytest.approx(expected, abs=2000)
    assert expected >= 3 * 220
    kept = sorted(
        p.relative_to(directory.checkpoints).as_posix()
        for p in directory.checkpoints.rglob("*.safetensors")
    )
    assert kept == ["step-20/model.safetensors", "step-60/model.safetensors"]
    assert (status_of(directory).state, prune(directory)) == (RunState.FINISHED, 0)


def test_a_pruned_run_scores_and_writes_the_same(tmp_path: Path) -> None:
    settings = {"train.budget.steps": 20, "train.validation.every_steps": 5}
    run = seqzoo.run(RECIPE, {**settings, "corpus.options.size_bytes": 20_000}, root=tmp_path)
    before = outputs(run)
    assert prune(RunDirectory(run.path)) > 0
    again = seqzoo.open_run(run.path)
    after = (
        again.score("To be").bits.tolist(),
        list(again.generate("A", length=9, seed=1)),
        again.step,
    )
    assert after == before
    assert seqzoo.resume(run.path).result == run.result
    start = {**settings, "train.start_from": str(run.path), "corpus.options.size_bytes": 20_000}
    started = seqzoo.run(RECIPE, start, root=tmp_path, name="started")
    assert started.result is not None
    assert run.result is not None
    assert started.result.started_from is not None
    assert started.result.started_from.weights_sha256 == run.result.weights_sha256


def outputs(run: seqzoo.Run) -> tuple[list[float], list[str], int]:
    written = list(run.generate("A", length=9, seed=1))
    return run.score("To be").bits.tolist(), written, run.step


@pytest.mark.parametrize("scored_at", [None, 30])
def test_only_finished_runs_are_pruned(tmp_path: Path, scored_at: int | None) -> None:
    for steps in ((30,), (60,)):
        directory = make_run(tmp_path / str(steps[0]), steps=steps, scored_at=scored_at)
        with pytest.raises(UsageError, match="only finished runs"):
            require_finished(status_of(directory))


def test_a_run_in_use_is_not_pruned(tmp_path: Path) -> None:
    directory = make_run(tmp_path / "a")
    with directory.locked():
        with pytest.raises(UsageError, match="is running"):
            require_finished(status_of(directory))
        with pytest.raises(LockedError):
            prune(RunDirectory(directory.path))
