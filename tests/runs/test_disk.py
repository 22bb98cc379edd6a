"""A disk that is full at any moment of a run: nothing is lost, and what is suggested works."""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import SMALL, result_of

import seqzoo
from seqzoo.errors import DiskFault, EnvironmentFault, SeqzooError
from seqzoo.results.result import UnsavedResult
from seqzoo.training.checkpoint_files import checkpoint_steps
from seqzoo.training.disk import require_space

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # that the text is short

RECIPE: Mapping[str, Any] = yaml.safe_load(SMALL)
SHORT: dict[str, Any] = {
    "train.budget.steps": 4,
    "train.checkpoint.every_steps": 2,
    "train.validation.every_steps": 2,
    "baselines.include": [],
}


@contextmanager
def failing_after(writes: int, code: int = errno.ENOSPC) -> Iterator[list[int]]:
    """A disk with room for so many files; gives the number of those that were written."""
    written = [0]
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if written[0] == writes:
            raise OSError(code, os.strerror(code))
        written[0] += 1
        real(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        yield written


@pytest.fixture(autouse=True)
def _no_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqzoo.training.checkpoint.RETRY_SECONDS", ())


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus that needs no file in the cache."""
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("Enter the messenger, with a letter.\n" * 140)
    return path


@pytest.fixture(scope="module")
def uninterrupted(text: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A finished run, and how many files were synced for it."""
    root = tmp_path_factory.mktemp("runs")
    with failing_after(-1) as written:
        run = seqzoo.run(RECIPE, SHORT, text=text, root=root)
    return run.path, written[0]


@pytest.mark.slow
def test_a_run_whose_disk_is_full_continues_as_its_message_says(
    text: Path, uninterrupted: tuple[Path, int], tmp_path: Path
) -> None:
    finished, count = uninterrupted
    continued = removed = 0
    for writes in range(count):
        run = tmp_path / f"{writes} of {count}" / "small"
        with failing_after(writes), pytest.raises(EnvironmentFault) as caught:
            seqzoo.run(RECIPE, SHORT, text=text, root=run.parent)
        message = str(caught.value)
        assert message.count(str(run)) >= 1
        if message.endswith("; nothing is saved; make room and run the command again."):
            assert not run.exists()
            removed += 1
            continue
        _, command = message.split("make room and continue with: ")
        assert shlex.split(command) == ["seqzoo", "resume", str(run)]
        again = seqzoo.resume(run)
        assert again.result is not None
        assert again.result.weights_sha256 == result_of(finished)["weights_sha256"]
        continued += 1
    assert removed > 0
    assert continued > 0


def test_a_failing_disk_is_not_called_full(text: Path, tmp_path: Path) -> None:
    with failing_after(20, errno.EIO), pytest.raises(DiskFault) as caught:
        seqzoo.run(RECIPE, SHORT, text=text, root=tmp_path)
    assert "make room" not in str(caught.value)
    assert f"continue with: seqzoo resume {tmp_path / 'small'}" in str(caught.value)


def test_training_goes_on_without_a_checkpoint_that_it_does_not_need(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk has no room while steps 2 to 4 are saved; step 6 is the end."""
    changes = {**SHORT, "train.budget.steps": 6, "train.validation.every_steps": 0}
    whole = seqzoo.run(RECIPE, changes, text=text, root=tmp_path / "whole")
    require = require_space

    def no_room(folder: Path, sizes: list[int]) -> None:
        refused.append(checkpoint_steps(folder) == [0] and sum(refused) < 2)
        if refused[-1]:
            raise DiskFault("not enough space", is_full=True)
        require(folder, sizes)

    refused: list[bool] = []
    monkeypatch.setattr("seqzoo.training.checkpoint.require_space", no_room)
    with pytest.warns(UserWarning, match="no checkpoint of step") as said:
        run = seqzoo.run(RECIPE, changes, text=text, root=tmp_path)
    about = [str(each.message) for each in said if "no checkpoint of step" in str(each.message)]
    for step, line in zip((2, 4), about, strict=True):
        assert f"no checkpoint of step {step}: not enough space" in line
        assert "training continues, and the newest checkpoint is that of step 0" in line
    assert result_of(run.path)["weights_sha256"] == result_of(whole.path)["weights_sha256"]


@pytest.mark.parametrize("needed", ["the last step", "the best on validation"])
def test_a_checkpoint_that_is_needed_is_never_left_out(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, needed: str
) -> None:
    changes = {**SHORT, "train.validation.every_steps": 2 if needed != "the last step" else 0}
    require = require_space

    def no_room(folder: Path, sizes: list[int]) -> None:
        if checkpoint_steps(folder):
            raise DiskFault("not enough space", is_full=True)
        require(folder, sizes)

    monkeypatch.setattr("seqzoo.training.checkpoint.require_space", no_room)
    with pytest.raises(DiskFault, match="the run is saved up to step 0; make room and continue"):
        seqzoo.run(RECIPE, changes, text=text, root=tmp_path)


def test_scores_that_cannot_be_written_are_in_the_error(
    text: Path, uninterrupted: tuple[Path, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, _: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr("seqzoo.results.result.write_whole", full)
    with pytest.raises(UnsavedResult) as caught:
        seqzoo.run(RECIPE, SHORT, text=text, root=tmp_path)
    unsaved = caught.value
    assert isinstance(unsaved, SeqzooError)
    finished = result_of(uninterrupted[0])
    assert unsaved.result.scores["test"].bits_per_byte == pytest.approx(
        finished["scores"]["test"]["bits_per_byte"], abs=1e-9
    )  # the sum of the same numbers
    assert str(unsaved.path) in str(unsaved)
