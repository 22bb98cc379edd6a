"""The checkpoint before the first update, which a run has until there is a later one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import SMALL

import seqzoo
from seqzoo.data.corpus import open_data
from seqzoo.recipes.load import recipe
from seqzoo.runs.interruption import Interrupted
from seqzoo.training import checkpoint as checkpoints


class Killed(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


def test_a_run_that_is_resumed_before_its_first_update_does_not_replace_its_only_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int] = []
    save = checkpoints.save

    def killed_after_the_first(folder: Path, checkpoint: Any, **options: Any) -> Path:
        if saved:
            raise Killed
        saved.append(checkpoint.step)
        return save(folder, checkpoint, **options)

    budget = {
        "train.budget.steps": 4,
        "train.checkpoint.every_steps": 2,
        "baselines.include": [],
    }
    monkeypatch.setattr(checkpoints, "save", killed_after_the_first)
    with pytest.raises(Killed):
        seqzoo.run(yaml.safe_load(SMALL), budget, root=tmp_path)
    assert saved == [0]

    def recorded(folder: Path, checkpoint: Any, **options: Any) -> Path:
        saved.append(checkpoint.step)
        return save(folder, checkpoint, **options)

    monkeypatch.setattr(checkpoints, "save", recorded)
    seqzoo.resume(tmp_path / "small")
    assert saved == [0, 2, 4]


@pytest.mark.parametrize(
    "place",
    [
        "seqzoo.runs.runner.write_origin",
        "seqzoo.runs.train.Log",
        "seqzoo.storage.sync_directory",
        "seqzoo.runs.directory.open_to_change",
    ],
)
def test_a_run_that_is_stopped_before_its_first_checkpoint_leaves_no_folder(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    budget = {"train.budget.steps": 1, "baselines.include": []}
    # The corpus is made and stored before the run begins, by whichever test is the first one.
    open_data(recipe(yaml.safe_load(SMALL)), announce=pytest.fail)
    with monkeypatch.context() as patch:
        patch.setattr(place, stop)
        with pytest.raises(Interrupted, match="nothing is saved"):
            seqzoo.run(yaml.safe_load(SMALL), budget, root=tmp_path, name="named")
    assert list(tmp_path.iterdir()) == []
    assert seqzoo.run(yaml.safe_load(SMALL), budget, root=tmp_path, name="named").result
