"""The checkpoint before the first update, which a run has until there is a later one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import SMALL

import seqzoo
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
