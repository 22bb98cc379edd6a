"""Checkpoints: complete or absent, verified before they are loaded; old ones are removed."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_states import RUN_STATE, TRAINING_STATE

from seqzoo.errors import CheckpointError, EnvironmentFault, NewerFormatError
from seqzoo.training import checkpoint as checkpoints
from seqzoo.training.checkpoint import Checkpoint
from seqzoo.training.checkpoint_files import keep_only_weights, removable_bytes, stored_state


def make_checkpoint(step: int) -> Checkpoint:
    tensor = torch.arange(step, step + 50, dtype=torch.float32)
    return Checkpoint(
        step=step,
        model={"weight": tensor, "tied": tensor},
        optimizer={"0.0.exp_avg": tensor * 2},
        carried={"0": tensor.view(5, 10)},
        generators={"cpu": torch.get_rng_state()},
        state={**RUN_STATE, **TRAINING_STATE, "best": [step, 2.5], "tokens_seen": step * 7},
    )


def no_warning(_: str) -> None:
    pass


def test_a_loaded_checkpoint_equals_the_saved_one(tmp_path: Path) -> None:
    saved = make_checkpoint(10)
    checkpoints.save(tmp_path, saved, keep=2, best=None)
    loaded = checkpoints.load(tmp_path, 10)
    for part in ("model", "optimizer", "carried", "generators"):
        assert getattr(loaded, part).keys() == getattr(saved, part).keys()
        for name, tensor in getattr(saved, part).items():
            assert torch.equal(getattr(loaded, part)[name], tensor)
    assert loaded.state == {**saved.state, "step": 10}


def test_equal_weights_have_equal_hashes(tmp_path: Path) -> None:
    checkpoints.save(tmp_path / "a", make_checkpoint(3), keep=2, best=None)
    checkpoints.save(tmp_path / "b", make_checkpoint(3), keep=2, best=None)
    checkpoints.save(tmp_path / "b", make_checkpoint(4), keep=2, best=None)
    assert checkpoints.weights_sha256(tmp_path / "a", 3) == checkpoints.weights_sha256(
        tmp_path / "b", 3
    )
    assert checkpoints.weights_sha256(tmp_path / "b", 3) != checkpoints.weights_sha256(
        tmp_path / "b", 4
    )


def test_the_last_checkpoints_and_the_best_are_kept(tmp_path: Path) -> None:
    for step in (2, 4, 10, 100):
        checkpoints.save(tmp_path, make_checkpoint(step), keep=2, best=4)
    assert checkpoints.checkpoint_steps(tmp_path) == [4, 10, 100]


def test_a_save_keeps_the_new_checkpoint_and_removes_later_damaged_ones(tmp_path: Path) -> None:
    for step in (5, 10, 15):
        checkpoints.save(tmp_path, make_checkpoint(step), keep=3, best=None)
    for step in (10, 15):
        (tmp_path / f"step-{step}" / "state.json").unlink()
    assert checkpoints.load_newest(tmp_path, warn=no_warning).step == 5
    checkpoints.save(tmp_path, make_checkpoint(6), keep=1, best=None)
    assert checkpoints.checkpoint_steps(tmp_path) == [6]


def test_a_missing_best_is_replaced_by_the_newest_with_a_warning(tmp_path: Path) -> None:
    checkpoints.save(tmp_path, make_checkpoint(8), keep=1, best=None)
    newest = make_checkpoint(9)
    checkpoints.save(tmp_path, newest, keep=2, best=None)
    lost = checkpoints.Checkpoint(**{**vars(newest), "state": {**newest.state, "best": [4, 2.0]}})
    found = checkpoints.Checkpoint(**{**vars(newest), "state": {**newest.state, "best": [8, 2.0]}})
    warnings: list[str] = []
    assert checkpoints.load_best(tmp_path, found, warn=warnings.append).step == 8
    assert not warnings
    assert checkpoints.load_best(tmp_path, lost, warn=warnings.append).step == 9
    assert "step-4" in warnings[0]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_checkpoint_is_never_loaded(
    tmp_path_factory: pytest.TempPathFactory, data: Any
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    directory = checkpoints.save(folder, make_checkpoint(7), keep=2, best=None)
    damaged_file = data.draw(st.sampled_from(sorted(directory.iterdir())))
    content = bytearray(damaged_file.read_bytes())
    kind = data.draw(st.sampled_from(["flip", "truncate", "append", "zero", "delete"]))
    if kind == "flip":
        place = data.draw(st.integers(0, len(content) * 8 - 1))
        content[place // 8] ^= 1 << (place % 8)
    elif kind == "truncate":
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    elif kind == "append":
        content += b"x"
    elif kind == "zero":
        begin = data.draw(st.integers(0, len(content) - 1))
        content[begin : begin + 64] = bytes(len(content[begin : begin + 64]))
    if kind == "delete":
        damaged_file.unlink()
    else:
        if bytes(content) == damaged_file.read_bytes():
            return
        damaged_file.write_bytes(content)
    with pytest.raises(CheckpointError, match=re.escape(str(directory))):
        checkpoints.load(folder, 7)


def test_files_swapped_between_steps_are_not_loaded(tmp_path: Path) -> None:
    first = checkpoints.save(tmp_path, make_checkpoint(1), keep=5, best=None)
    second = checkpoints.save(tmp_path, make_checkpoint(2), keep=5, best=None)
    os.replace(first / "model.safetensors", second / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"sha256 is not the recorded one"):
        checkpoints.load(tmp_path, 2)
    third = checkpoints.save(tmp_path, make_checkpoint(3), keep=5, best=None)
    third.rename(tmp_path / "step-9")
    with pytest.raises(CheckpointError, match=r"not the manifest of step 9"):
        checkpoints.load(tmp_path, 9)


def test_a_damaged_newest_is_replaced_by_an_older_one_with_a_warning(tmp_path: Path) -> None:
    checkpoints.save(tmp_path, make_checkpoint(1), keep=5, best=None)
    (checkpoints.save(tmp_path, make_checkpoint(2), keep=5, best=None) / "state.json").unlink()
    warnings: list[str] = []
    assert checkpoints.load_newest(tmp_path, warn=warnings.append).step == 1
    assert len(warnings) == 1
    assert "state.json" in warnings[0]
    assert "step 1" in warnings[0]


def test_without_an_undamaged_checkpoint_the_error_names_the_files(tmp_path: Path) -> None:
    (checkpoints.save(tmp_path, make_checkpoint(2), keep=5, best=None) / "state.json").unlink()
    with pytest.raises(CheckpointError, match=r"state\.json.*start the run again"):
        checkpoints.load_newest(tmp_path, warn=no_warning)
    with pytest.raises(CheckpointError, match=r"has no checkpoint"):
        checkpoints.load_newest(tmp_path / "none", warn=no_warning)


@pytest.fixture
def no_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "RETRY_SECONDS", ())


_OPERATIONS = [(os, "fsync"), (os, "rename"), (Path, "mkdir"), (Path, "open")]


@pytest.mark.usefixtures("no_retries")
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize(("owner", "name"), _OPERATIONS, ids=[name for _, name in _OPERATIONS])
def test_a_failing_save_does_not_damage_the_previous_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, code: int
) -> None:
    checkpoints.save(tmp_path, make_checkpoint(1), keep=1, best=None)
    real = getattr(owner, name)
    for failing in range(1, 20):
        calls = 0

        def fail_once(*args: Any, _failing: int = failing, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == _failing:
                raise OSError(code, os.strerror(code))
            return real(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(owner, name, fail_once)
            try:
                checkpoints.save(tmp_path, make_checkpoint(2), keep=1, best=None)
            except EnvironmentFault:
                failed = True
            else:
                failed = False
        newest = checkpoints.load_newest(tmp_path, warn=no_warning)
        if not failed:  # an old one that cannot be removed is no failure
            assert newest.step == 2
            if calls < failing:
                return
        # After the rename, the new one exists and is complete.
        assert newest.step in (1, 2)
        assert not list(tmp_path.glob("*.tmp"))
    raise AssertionError("a save has fewer operations")


@pytest.mark.usefixtures("no_retries")
def test_the_error_of_a_full_disk_names_needed_and_free_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EnvironmentFault, match=r"[\d,]+ bytes needed, [\d,]+ free"):
        checkpoints.save(tmp_path, make_checkpoint(1), keep=1, best=None)


def test_an_incomplete_save_is_removed_and_never_loaded(tmp_path: Path) -> None:
    directory = checkpoints.save(tmp_path, make_checkpoint(1), keep=1, best=None)
    directory.rename(tmp_path / "step-1.tmp")
    assert checkpoints.checkpoint_steps(tmp_path) == []
    checkpoints.clear_unfinished(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("version", "error", "message"),
    [
        (99, NewerFormatError, "has format version 99, and this seqzoo reads up to 1"),
        (0, CheckpointError, "has format 0, this seqzoo reads 1"),
    ],
)
def test_another_format_is_an_error_with_its_number(
    tmp_path: Path, version: int, error: type[Exception], message: str
) -> None:
    manifest = (
        checkpoints.save(tmp_path, make_checkpoint(1), keep=1, best=None) / checkpoints.MANIFEST
    )
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**content, "format_version": version}))
    with pytest.raises(error, match=message):
        checkpoints.load(tmp_path, 1)


def test_a_checkpoint_of_a_newer_seqzoo_is_not_passed_over_for_an_older_one(
    tmp_path: Path,
) -> None:
    for step in (1, 2):
        checkpoints.save(tmp_path, make_checkpoint(step), keep=2, best=None)
    manifest = tmp_path / "step-2" / checkpoints.MANIFEST
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**content, "format_version": 99}))
    with pytest.raises(NewerFormatError):
        checkpoints.load_newest(tmp_path, warn=lambda _: None)


def test_of_a_checkpoint_without_training_state_the_weights_are_still_loaded(
    tmp_path: Path,
) -> None:
    for step in (2, 4, 6):
        checkpoints.save(tmp_path, make_checkpoint(step), keep=9, best=None)
    (tmp_path / "step-8.tmp").mkdir()
    (tmp_path / "notes").mkdir()
    before = files_below(tmp_path)
    expected = removable_bytes(tmp_path, {2, 6})
    keep_only_weights(tmp_path, {2, 6})
    after = files_below(tmp_path)
    manifests = {path for path in after if path.name == "MANIFEST.json"}
    assert sum(size for path, size in before.items() if path not in after) == expected
    assert {path for path in after if before[path] != after[path]} == manifests
    assert checkpoints.checkpoint_steps(tmp_path) == [2, 6]
    assert (tmp_path / "notes").is_dir()
    whole, loaded = make_checkpoint(6), checkpoints.load(tmp_path, 6)
    assert torch.equal(loaded.model["weight"], whole.model["weight"])
    assert (loaded.is_complete, loaded.optimizer, loaded.carried) == (False, {}, {})
    assert loaded.state == {**whole.state, "step": 6} == stored_state(tmp_path, 6)
    assert removable_bytes(tmp_path, {2, 6}) == 0


def files_below(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_size for path in folder.rglob("*") if path.is_file()}


def test_removing_training_state_can_be_killed_at_any_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call that changes the disk is the last one, in turn; then the removal is repeated."""
    calls: list[tuple[Any, str]] = [(os, "replace"), (shutil, "rmtree"), (Path, "unlink")]
    killed = 0
    for last in range(1, 20):
        folder = tmp_path / str(last)
        for step in (1, 2):
            checkpoints.save(folder, make_checkpoint(step), keep=9, best=None)
        counter = [last]
        with monkeypatch.context() as patch:
            for owner, name in calls:
                patch.setattr(owner, name, counted(getattr(owner, name), counter))
            try:
                keep_only_weights(folder, {2})
            except KeyboardInterrupt:
                killed += 1
        assert checkpoints.load(folder, 2).model["weight"][0] == 2
        keep_only_weights(folder, {2})
        names = {path.name for path in files_below(folder)}
        assert names == {"MANIFEST.json", "model.safetensors", "state.json"}
    assert killed >= 4


def counted(original: Any, counter: list[int]) -> Any:
    """The function, until the counter has run down; then each call is a kill."""

    def call(*arguments: Any, **options: Any) -> Any:
        counter[0] -= 1
        if counter[0] <= 0:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    return call


@pytest.mark.parametrize("name", ["model.safetensors", "state.json", "MANIFEST.json"])
def test_a_state_is_read_only_from_files_of_the_recorded_size(tmp_path: Path, name: str) -> None:
    directory = checkpoints.save(tmp_path, make_checkpoint(3), keep=1, best=None)
    assert stored_state(tmp_path, 3)["tokens_seen"] == 21
    (directory / name).write_bytes((directory / name).read_bytes()[:-9])
    with pytest.raises(CheckpointError, match="damaged"):
        stored_state(tmp_path, 3)
