"""A run's folder: numbered, never reused; its logs cut back to where a checkpoint left them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from seqzoo.errors import EnvironmentFault, LockedError, UsageError
from seqzoo.runs.directory import Log, RunDirectory, create_run_directory, open_run_directory


def test_a_taken_name_is_numbered_or_refused(tmp_path: Path) -> None:
    names = [create_run_directory(tmp_path, "x", numbered=True).path.name for _ in range(3)]
    assert names == ["x", "x-2", "x-3"]
    with pytest.raises(UsageError, match="never overwritten"):
        create_run_directory(tmp_path, "x", numbered=False)


def test_a_folder_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(EnvironmentFault, match="Not a directory"):
        create_run_directory(tmp_path / "runs", "x", numbered=True)


def test_a_lock_names_its_holder_and_ends_with_it(tmp_path: Path) -> None:
    with (
        RunDirectory(tmp_path).locked(),
        pytest.raises(LockedError, match=f"process {os.getpid()}"),
        RunDirectory(tmp_path).locked(),
    ):
        pass
    with RunDirectory(tmp_path).locked():
        pass


def test_a_log_cut_back_tells_its_true_length(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log = Log(path, length=0, warn=print)
    log.append({"step": 1})
    kept = log.sync()
    log.append({"step": 2})
    assert log.sync() == 2 * kept
    log.close()
    again = Log(path, length=kept, warn=print)
    assert again.sync() == kept
    again.append({"step": 2})
    assert again.sync() == 2 * kept
    again.close()
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'


def test_a_line_can_be_read_as_soon_as_it_is_added(tmp_path: Path) -> None:
    log = Log(tmp_path / "metrics.jsonl", length=0, warn=print)
    log.append({"step": 1})
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1}\n'
    log.close()


def test_a_lost_log_is_reported_and_not_filled_with_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    log = Log(tmp_path / "metrics.jsonl", length=100, warn=said.append)
    log.append({"step": 9})
    log.close()
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 9}\n'
    assert "holds 0 bytes, and 100 were written" in said[0]


def test_what_is_no_run_is_told_apart_from_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "quick").mkdir()
    (tmp_path / "quick" / "recipe.yaml").write_text("")
    (tmp_path / "other").mkdir()
    assert open_run_directory(tmp_path / "quick").path == tmp_path / "quick"
    with pytest.raises(UsageError, match="Did you mean 'quick'"):
        open_run_directory(tmp_path / "quikc")
    with pytest.raises(UsageError, match="is not a run"):
        open_run_directory(tmp_path / "other")
