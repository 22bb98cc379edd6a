"""The trials see what they are for: without a protection of checkpoints, one of them fails."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from trials import TRIALS

from seqzoo.training import checkpoint as checkpoints
from seqzoo.training.checkpoint import Checkpoint
from seqzoo.training.updates import Training

Patch = pytest.MonkeyPatch


def without_the_rename(patch: Patch) -> None:
    """Files are written in their place, one after the other, the manifest first."""
    save = checkpoints.save

    def in_place(folder: Path, checkpoint: Checkpoint, **options: Any) -> Path:
        aside = folder.parent / "aside"
        made = save(aside, checkpoint, keep=1, best=None)
        final = folder / made.name
        final.mkdir(parents=True, exist_ok=True)
        for path in sorted(made.iterdir()):
            (final / path.name).write_bytes(path.read_bytes())
        shutil.rmtree(aside)
        return final

    patch.setattr(checkpoints, "save", in_place)


def without_the_sync_of_files(patch: Patch) -> None:
    def flush(file: Any) -> None:
        file.flush()

    for module in ("seqzoo.storage", "seqzoo.training.checkpoint"):
        patch.setattr(f"{module}.write_through", flush, raising=False)


def without_the_sync_of_folders(patch: Patch) -> None:
    for module in ("seqzoo.storage", "seqzoo.training.checkpoint"):
        patch.setattr(f"{module}.sync_directory", lambda _: None, raising=False)


def without_the_generators(patch: Patch) -> None:
    patch.setattr("seqzoo.training.updates.restore_random_state", lambda _: None)


def without_the_carried_state(patch: Patch) -> None:
    restore = Training.restore

    def restored(self: Training, checkpoint: Checkpoint) -> None:
        restore(self, checkpoint)
        self.carried = None

    patch.setattr(Training, "restore", restored)


def without_the_hashes(patch: Patch) -> None:
    """Every content has the same sha256, so that the manifest finds no difference."""
    same = SimpleNamespace(
        update=lambda _: None, hexdigest=lambda: "0" * 64, digest=lambda: bytes(32)
    )
    patch.setattr(hashlib, "sha256", lambda *_, **__: same)


def without_the_id_of_the_run(patch: Patch) -> None:
    load = checkpoints.load
    patch.setattr(checkpoints, "load", lambda folder, step, **_: load(folder, step))


def without_the_search_for_what_is_not_finite(patch: Patch) -> None:
    patch.setattr("seqzoo.training.updates.require_finite", lambda *_, **__: None)


SEEN_BY: dict[Callable[[Patch], None], tuple[str, int]] = {
    without_the_rename: ("failing_saves", 20),
    without_the_sync_of_files: ("power_loss", 80),
    without_the_sync_of_folders: ("power_loss", 80),
    without_the_generators: ("combinations", 4),
    without_the_carried_state: ("combinations", 4),
    without_the_hashes: ("damage", 20),
    without_the_id_of_the_run: ("damage", 20),
    without_the_search_for_what_is_not_finite: ("not_finite", 8),
}
"""The trial that fails without it, and the number of cases in which one does."""


@pytest.mark.parametrize("switch_off", SEEN_BY, ids=lambda each: each.__name__)
def test_without_a_protection_a_trial_fails(
    switch_off: Callable[[Patch], None], tmp_path: Path, monkeypatch: Patch
) -> None:
    name, count = SEEN_BY[switch_off]
    switch_off(monkeypatch)
    assert TRIALS[name].run(count, 1, tmp_path).failures != []
