"""A save needs room, is tried again, is read back, and never holds numbers that are not finite."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from made_states import RUN_STATE, TRAINING_STATE
from torch import nn

from seqzoo.errors import DiskFault, DivergedError
from seqzoo.training import checkpoint as checkpoints
from seqzoo.training.checkpoint import Checkpoint
from seqzoo.training.finite import require_finite


def made(step: int) -> Checkpoint:
    weights = {"weight": torch.full((1000,), float(step))}
    state = {**RUN_STATE, **TRAINING_STATE}
    return Checkpoint(
        step=step, model=weights, optimizer={}, carried={}, generators={}, state=state
    )


def save(folder: Path, step: int, **options: Any) -> Path:
    return checkpoints.save(folder, made(step), keep=1, best=None, **options)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits before further attempts, which take no time here."""
    found: list[float] = []
    monkeypatch.setattr(checkpoints, "sleep", found.append)
    return found


def with_free_bytes(patch: pytest.MonkeyPatch, free: int) -> None:
    real = os.statvfs

    def statvfs(path: Any) -> os.statvfs_result:
        fields = list(real(path))
        fields[1], fields[4] = 1, free  # f_frsize, f_bavail
        return os.statvfs_result(fields)

    patch.setattr(os, "statvfs", statvfs)


def test_without_room_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    save(tmp_path, 1)
    with_free_bytes(monkeypatch, 3_000)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", lambda *_, **__: pytest.fail("something was written"))
        with pytest.raises(DiskFault, match=r"[4-9],\d{3} bytes needed, 3,000 free") as caught:
            save(tmp_path, 2)
    assert caught.value.is_full
    assert checkpoints.checkpoint_steps(tmp_path) == [1]
    assert not waits
    with_free_bytes(monkeypatch, 10_000_000)
    save(tmp_path, 2)


def failing(patch: pytest.MonkeyPatch, code: int, times: int) -> None:
    real, left = os.fsync, [times]

    def fsync(descriptor: int) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise OSError(code, os.strerror(code))
        real(descriptor)

    patch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_a_fault_that_passes_is_reported_and_the_save_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: list[float], code: int
) -> None:
    failing(monkeypatch, code, times=2)
    said: list[str] = []
    save(tmp_path, 3, warn=said.append)
    assert checkpoints.load(tmp_path, 3).step == 3
    assert waits == sorted(waits)
    assert len(waits) == len(said) == 2
    assert str(tmp_path) in said[0]
    assert "trying again in" in said[0]


def test_a_fault_that_stays_ends_after_the_last_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    save(tmp_path, 1)
    failing(monkeypatch, errno.EIO, times=100)
    with pytest.raises(DiskFault, match="Input/output error"):
        save(tmp_path, 2)
    assert len(waits) == len(checkpoints.RETRY_SECONDS)
    assert [path.name for path in tmp_path.iterdir()] == ["step-1"]


def test_a_fault_that_cannot_pass_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    failing(monkeypatch, errno.EROFS, times=100)
    with pytest.raises(DiskFault):
        save(tmp_path, 2)
    assert not waits


def test_the_old_checkpoint_goes_only_after_the_new_one_was_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    """A disk that changes a byte without an error."""
    save(tmp_path, 1)
    rename = os.rename

    def damaging(source: Path, target: Path) -> None:
        file = source / "model.safetensors"
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", damaging)
        with pytest.raises(DiskFault, match=r"reads back differently.*model\.safetensors"):
            save(tmp_path, 2)
    newest = checkpoints.load_newest(tmp_path, warn=lambda _: None)
    assert newest.step == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("place", ["weight", "moment"])
def test_numbers_that_are_not_finite_are_never_saved(value: float, place: str) -> None:
    model = nn.Linear(3, 2)
    moments = {"weight/exp_avg": torch.zeros(2, 3), "weight/step": torch.tensor(1)}
    require_finite(dict(model.named_parameters()), moments, step=7)
    spoiled = model.weight.data if place == "weight" else moments["weight/exp_avg"]
    spoiled[1, 2] = value
    with pytest.raises(DivergedError, match=r"weight.*step 7.*1 of 6 values"):
        require_finite(dict(model.named_parameters()), moments, step=7)
