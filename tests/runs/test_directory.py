"""The folder of a run: numbered, never overwritten, locked by one process."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from seqzoo.errors import EnvironmentFault, LockedError, UsageError
from seqzoo.runs.directory import RunDirectory, create_run_directory, open_run_directory
from seqzoo.training.checkpoint import Checkpoint, save


def test_an_existing_name_is_numbered_or_an_error(tmp_path: Path) -> None:
    names = [create_run_directory(tmp_path, "x", numbered=True).path.name for _ in range(3)]
    assert names == ["x", "x-2", "x-3"]
    with pytest.raises(UsageError, match="never overwritten"):
        create_run_directory(tmp_path, "x", numbered=False)


def test_a_folder_that_cannot_be_created_is_reported_with_the_cause(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(EnvironmentFault, match="Not a directory"):
        create_run_directory(tmp_path / "runs", "x", numbered=True)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_only_a_full_disk_needs_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def fail(path: Path, *_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(Path, "mkdir", fail)
    monkeypatch.setattr("seqzoo.runs.directory.open_to_change", fail)
    with pytest.raises(EnvironmentFault, match=os.strerror(code)) as created:
        create_run_directory(tmp_path, "x", numbered=True)
    with (
        pytest.raises(EnvironmentFault, match=os.strerror(code)) as locked,
        RunDirectory(tmp_path).locked(),
    ):
        pass
    for caught in (created, locked):
        assert ("make room" in str(caught.value)) == (code == errno.ENOSPC)
        assert "must be a file" not in str(caught.value)


def test_a_new_run_and_its_checkpoints_are_on_disk_in_the_folders_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr("seqzoo.storage.sync_directory", synced.append)
    run = create_run_directory(tmp_path / "runs", "x", numbered=False)
    assert synced == [tmp_path, tmp_path / "runs"]
    save(run.checkpoints, Checkpoint(0, {}, {}, {}, {}, {}), keep=1, best=None)
    assert synced == [tmp_path, tmp_path / "runs", run.path]


def test_a_locked_run_has_no_files_that_a_killed_process_was_writing(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.samples.mkdir()
    for path in (run.result, run.recipe, run.origin, run.samples / "step-1.txt"):
        path.with_name(f".{path.name}.{'0' * 32}.tmp").write_bytes(b"half")
    with run.locked():
        assert sorted(tmp_path.rglob("*")) == [run.lock, run.samples]


def test_a_lock_names_its_process_and_is_released(tmp_path: Path) -> None:
    with (
        RunDirectory(tmp_path).locked(),
        pytest.raises(LockedError, match=f"process {os.getpid()}"),
        RunDirectory(tmp_path).locked(),
    ):
        pass
    with RunDirectory(tmp_path).locked():
        pass


def test_a_folder_without_a_run_and_a_missing_folder_have_different_messages(
    tmp_path: Path,
) -> None:
    (tmp_path / "quick").mkdir()
    (tmp_path / "quick" / "recipe.yaml").write_text("")
    (tmp_path / "other").mkdir()
    assert open_run_directory(tmp_path / "quick").path == tmp_path / "quick"
    with pytest.raises(UsageError, match="Did you mean 'quick'"):
        open_run_directory(tmp_path / "quikc")
    with pytest.raises(UsageError, match="is not a run"):
        open_run_directory(tmp_path / "other")


def test_a_command_in_an_error_of_the_python_api_is_called_one_of_a_shell(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "recipe.yaml").touch()
    with pytest.raises(UsageError, match=r"in a shell: seqzoo runs"):
        open_run_directory(tmp_path)
