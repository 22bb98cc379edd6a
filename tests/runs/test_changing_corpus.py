"""The text of a run changes while the run works: its scores are of the hashed bytes, or absent."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import SMALL

import seqzoo
from seqzoo import cache
from seqzoo.errors import EnvironmentFault, UsageError
from seqzoo.scoring.splits import static_scores
from seqzoo.training.checkpoint import checkpoint_steps
from seqzoo.training.updates import Training, Update

TEXT = "".join(random.Random(1).choices("to be or not\n", k=20_000)).encode()


def spoil(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(len(TEXT)))


def cut(path: Path) -> None:
    os.truncate(path, 100)


def touch(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(TEXT)


def start(folder: Path) -> seqzoo.Run:
    changed = {
        "corpus": {"name": "file", "options": {"path": str(folder / "text.txt")}},
        "train.budget.steps": 12,
        "train.checkpoint.every_steps": 4,
    }
    return seqzoo.run(yaml.safe_load(SMALL), changed, root=folder / "runs")


@pytest.fixture
def at_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Change the text after an update."""
    (tmp_path / "text.txt").write_bytes(TEXT)
    update = Training.update

    def change_at(step: int, change: Callable[[Path], None]) -> None:
        def then_change(training: Training) -> Update:
            done = update(training)
            if training.step == step:
                change(tmp_path / "text.txt")
            return done

        monkeypatch.setattr(Training, "update", then_change)

    return change_at


@pytest.fixture
def mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every text is mapped, as if it was large."""
    monkeypatch.setattr(cache, "LARGEST_READ_BYTES", 100)


def weights(run: seqzoo.Run) -> Any:
    assert run.result is not None
    return run.result.weights_sha256, run.result.scores


def test_a_text_in_memory_stays_the_same(tmp_path: Path, at_step: Callable[..., None]) -> None:
    unchanged = start(tmp_path)
    for step, change in ((5, spoil), (12, cut)):
        (tmp_path / "text.txt").write_bytes(TEXT)
        at_step(step, change)
        assert weights(start(tmp_path)) == weights(unchanged)


@pytest.mark.usefixtures("mapped")
def test_a_file_that_is_only_touched_ends_no_run(
    tmp_path: Path, at_step: Callable[..., None]
) -> None:
    unchanged = start(tmp_path)
    at_step(5, touch)
    assert weights(start(tmp_path)) == weights(unchanged)


@pytest.mark.usefixtures("mapped")
@pytest.mark.parametrize("change", [spoil, cut])
def test_a_mapped_text_that_changes_leaves_the_last_checkpoint_of_the_old_bytes(
    tmp_path: Path, at_step: Callable[..., None], change: Callable[[Path], None]
) -> None:
    at_step(5, change)
    with pytest.raises(EnvironmentFault, match=r"text\.txt was (changed|cut) .*seqzoo resume "):
        start(tmp_path)
    (run,) = (tmp_path / "runs").iterdir()
    assert checkpoint_steps(run / "checkpoints")[-1] == 4
    assert not (run / "result.json").exists()
    with pytest.raises(UsageError, match="was trained on a corpus with sha256"):
        seqzoo.resume(run)
    (tmp_path / "text.txt").write_bytes(TEXT)
    at_step(0, touch)
    resumed = seqzoo.resume(run)
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "text.txt").write_bytes(TEXT)
    assert weights(resumed) == weights(start(tmp_path / "again"))


@pytest.mark.usefixtures("mapped")
def test_a_mapped_text_that_changes_while_it_is_scored_leaves_no_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text.txt").write_bytes(TEXT)

    def change_first(*arguments: Any, **options: Any) -> Any:
        spoil(tmp_path / "text.txt")
        return static_scores(*arguments, **options)

    monkeypatch.setattr("seqzoo.runs.score.static_scores", change_first)
    with pytest.raises(EnvironmentFault, match=r"text\.txt was changed"):
        start(tmp_path)
    (run,) = (tmp_path / "runs").iterdir()
    assert not (run / "result.json").exists()
