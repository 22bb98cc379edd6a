"""What a checkpoint vouches for: its run, its step, and the form of everything in it."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from made_states import RUN_STATE, TRAINING_STATE

from seqzoo.errors import CheckpointError
from seqzoo.training import checkpoint as checkpoints
from seqzoo.training.checkpoint import Checkpoint
from seqzoo.training.checkpoint_files import keep_only_weights, stored_state


def save(folder: Path, step: int, *, run: str = "", keep: int = 9, best: Any = None) -> Path:
    state = {**RUN_STATE, **TRAINING_STATE, "best": best}
    weights = {"weight": torch.full((5,), float(step))}
    made = Checkpoint(
        step=step, model=weights, optimizer={}, carried={}, generators={}, state=state
    )
    return checkpoints.save(folder, made, keep=keep, best=None, run=run)


def test_a_checkpoint_of_another_run_is_never_used(tmp_path: Path) -> None:
    own, foreign = tmp_path / "own", tmp_path / "foreign"
    save(own, 1, run="a" * 16)
    shutil.copytree(save(foreign, 2, run="b" * 16), own / "step-2")
    shutil.copytree(save(foreign, 3), own / "step-3")
    for step in (2, 3):
        with pytest.raises(CheckpointError, match=f"step-{step} is a checkpoint of another run"):
            checkpoints.load(own, step, run="a" * 16)
        with pytest.raises(CheckpointError, match="another run"):
            stored_state(own, step, run="a" * 16)
    said: list[str] = []
    assert checkpoints.load_newest(own, run="a" * 16, warn=said.append).step == 1
    assert len(said) == 2


STATE: dict[str, Any] = {**RUN_STATE, **TRAINING_STATE, "step": 1}

CHANGES: list[dict[str, Any]] = [
    {"best": "4"},
    {"best": [1]},
    {"best": [1, float("nan")]},
    {"spent": None},
    {"spent": {"steps": 1}},
    {"spent": {**STATE["spent"], "seconds": "0"}},
    {"spent": {**STATE["spent"], "bytes": -1}},
    {"runtime": []},
    {"runtime": {"device": "cpu"}},
    {"logs": {"metrics": 1.5, "timing": 0}},
    {"interval": [0, 0]},
    {"tokens_seen": float("inf")},
    {"tokenizer": "abc"},
    {"stream": 3},
    {"step": 2},
    {"recipe": {}},
]


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        b"null",
        b"[" * 100_000,
        *(json.dumps({**STATE, **changed}).encode() for changed in CHANGES),
        *(
            json.dumps({key: value for key, value in STATE.items() if key != missing}).encode()
            for missing in STATE
            if missing not in ("recipe", "epochs")
        ),
    ],
    ids=lambda content: hashlib.sha256(content).hexdigest()[:6],
)
def test_a_state_of_another_form_is_not_loaded_even_with_the_right_hash(
    tmp_path: Path, content: bytes
) -> None:
    directory = save(tmp_path, 1)
    manifest = json.loads((directory / "MANIFEST.json").read_bytes())
    manifest["files"]["state.json"] = {
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    (directory / "state.json").write_bytes(content)
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    (directory / "MANIFEST.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"step-1/state\.json"):
        checkpoints.load(tmp_path, 1)
    with pytest.raises(CheckpointError, match=r"step-1/state\.json"):
        stored_state(tmp_path, 1)


@pytest.mark.parametrize("name", ["MANIFEST.json", "state.json", "model.safetensors"])
@pytest.mark.parametrize("kind", ["pipe", "device", "huge", "folder"])
def test_no_file_of_a_checkpoint_makes_a_command_wait_or_fills_the_memory(
    tmp_path: Path, name: str, kind: str
) -> None:
    path = save(tmp_path, 1) / name
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(1 << 40)
    for read in (checkpoints.load, stored_state):
        with pytest.raises(CheckpointError, match=f"{name}|step-1"):
            read(tmp_path, 1)


def test_a_linked_checkpoint_is_none_of_the_run_and_is_never_pruned(tmp_path: Path) -> None:
    mine = save(tmp_path / "mine", 2)
    stranger = tmp_path / "stranger"
    save(stranger, 1)
    (stranger / "step-2").symlink_to(mine)
    before = {path.name: path.read_bytes() for path in mine.iterdir()}
    assert checkpoints.checkpoint_steps(stranger) == [1]
    assert checkpoints.load_newest(stranger, warn=pytest.fail).step == 1
    keep_only_weights(stranger, [1])
    assert {path.name: path.read_bytes() for path in mine.iterdir()} == before


def test_a_checkpoint_larger_than_the_memory_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = save(tmp_path, 1)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 300}.__getitem__)
    with pytest.raises(CheckpointError, match=r"more than the 300 bytes of memory") as caught:
        checkpoints.load(tmp_path, 1)
    assert str(directory) in str(caught.value)


def test_a_run_that_trains_at_this_moment_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With keep 1, the trainer replaces the only checkpoint after each listing."""
    save(tmp_path, 1)
    real, listings = checkpoints.checkpoint_steps, [0]

    def replaced_meanwhile(folder: Path) -> list[int]:
        steps = real(folder)
        listings[0] += 1
        if listings[0] <= 3:
            monkeypatch.setattr(checkpoints, "checkpoint_steps", real)
            save(tmp_path, steps[-1] + 1, keep=1)
            monkeypatch.setattr(checkpoints, "checkpoint_steps", replaced_meanwhile)
        return steps

    monkeypatch.setattr(checkpoints, "checkpoint_steps", replaced_meanwhile)
    said: list[str] = []
    assert checkpoints.load_newest(tmp_path, warn=said.append).step == 4
    assert not said


def test_an_old_checkpoint_is_never_seen_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, 1)
    seen: list[list[str]] = []
    rmtree = shutil.rmtree

    def removing(path: Path, **options: Any) -> None:
        seen.append(sorted(each.name for each in tmp_path.iterdir()))
        rmtree(path, **options)

    monkeypatch.setattr(shutil, "rmtree", removing)
    save(tmp_path, 2, keep=1)
    assert seen == [["step-1.tmp", "step-2"]]
    assert [path.name for path in tmp_path.iterdir()] == ["step-2"]


def test_a_best_that_was_replaced_by_a_better_one_is_not_called_damaged(tmp_path: Path) -> None:
    save(tmp_path, 1)
    save(tmp_path, 2, best=[1, 2.5])
    before = checkpoints.load_newest(tmp_path, warn=pytest.fail)
    save(tmp_path, 3)
    save(tmp_path, 4, best=[3, 2.4])
    shutil.rmtree(tmp_path / "step-1")
    assert checkpoints.load_best(tmp_path, before, warn=pytest.fail).step == 3


def test_a_run_whose_checkpoints_are_always_replaced_is_said_to_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = itertools.count()
    monkeypatch.setattr(checkpoints, "checkpoint_steps", lambda folder: [next(counted)])
    with pytest.raises(CheckpointError, match=r"trains at this moment; nothing is damaged"):
        checkpoints.load_newest(tmp_path, warn=pytest.fail)
