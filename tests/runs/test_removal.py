"""Only folders that are runs are deleted, and links are never followed."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from made_runs import make_run

from seqzoo.errors import LockedError, UsageError
from seqzoo.runs.removal import removal_of, remove
from seqzoo.runs.status import RunState, status_of


def test_a_run_is_deleted_with_everything_in_it(tmp_path: Path) -> None:
    directory = make_run(tmp_path / "a")
    make_run(tmp_path / "b")
    remove(removal_of(directory.path))
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


@pytest.mark.parametrize("missing", ["recipe.yaml", "origin.json", "result.json", "checkpoints"])
def test_a_damaged_run_can_be_deleted(tmp_path: Path, missing: str) -> None:
    directory = make_run(tmp_path / "a")
    path = directory.path / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    remove(removal_of(directory.path))
    assert not directory.path.exists()


def test_what_is_not_certainly_a_run_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs" / "a")
    own = tmp_path / "project"
    own.mkdir()
    (own / "recipe.yaml").write_text("name: mine\n")
    sweep = tmp_path / "runs" / "sweep"
    make_run(sweep / "member")
    (sweep / "sweep.yaml").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    cases = {
        own: "nothing that a run has written",
        sweep: f"is a sweep, not a run; give its members, such as {sweep / 'member'}, and",
        tmp_path / "runs": "is a folder of runs",
        tmp_path / "empty": "is not a run of seqzoo",
        tmp_path / "file": "is not a run of seqzoo",
        tmp_path / "runs" / "b": "there is no run at",
    }
    before = sorted(tmp_path.rglob("*"))
    for path, message in cases.items():
        with pytest.raises(UsageError, match=message):
            removal_of(path)
    assert sorted(tmp_path.rglob("*")) == before
    make_run(run.path / "inner")
    with pytest.raises(UsageError, match="contains another run"):
        removal_of(run.path)


def test_a_run_in_use_is_refused_before_and_after_the_question(tmp_path: Path) -> None:
    directory = make_run(tmp_path / "a")
    removal = removal_of(directory.path)
    before = sorted(tmp_path.rglob("*"))
    with directory.locked():
        with pytest.raises(LockedError, match=f"process {os.getpid()}"):
            removal_of(directory.path)
        with pytest.raises(LockedError, match=f"process {os.getpid()}"):
            remove(removal)
    assert sorted(tmp_path.rglob("*")) == sorted([*before, directory.lock])


def test_of_a_link_only_the_link_is_deleted(tmp_path: Path) -> None:
    directory = make_run(tmp_path / "elsewhere" / "a")
    link = tmp_path / "link"
    link.symlink_to(directory.path)
    removal = removal_of(link)
    assert removal.is_link
    remove(removal)
    assert not link.is_symlink()
    assert status_of(directory).state is RunState.FINISHED


def test_links_in_a_run_are_not_followed(tmp_path: Path) -> None:
    directory = make_run(tmp_path / "a")
    kept = tmp_path / "kept"
    shutil.move(directory.checkpoints, kept)
    directory.checkpoints.symlink_to(kept)
    (directory.samples / "out").symlink_to(tmp_path)
    (directory.path / "home").symlink_to(tmp_path)
    before = sorted(kept.rglob("*"))
    remove(removal_of(directory.path))
    assert sorted(kept.rglob("*")) == before
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_files_that_no_run_has_written_are_named(tmp_path: Path) -> None:
    directory = make_run(tmp_path / "a")
    assert removal_of(directory.path).others == ()
    directory.note.write_text("a note")
    (directory.path / "thesis.tex").write_text("")
    (directory.path / ".git").mkdir()
    assert removal_of(directory.path).others == (".git", "thesis.tex")


def test_what_a_kill_leaves_cannot_be_resumed_and_can_be_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for last in range(1, 9):
        directory = make_run(tmp_path / str(last))
        left = [last]

        def counted(original: Any, left: list[int] = left) -> Any:
            def call(*arguments: Any, **options: Any) -> Any:
                left[0] -= 1
                if not left[0]:
                    raise KeyboardInterrupt
                return original(*arguments, **options)

            return call

        removal = removal_of(directory.path)
        with monkeypatch.context() as patch:
            for owner, name in ((Path, "unlink"), (shutil, "rmtree"), (Path, "rmdir")):
                patch.setattr(owner, name, counted(getattr(owner, name)))
            with contextlib.suppress(KeyboardInterrupt):
                remove(removal)
        if not directory.path.exists() or last == 1:
            continue
        assert not directory.recipe.exists()
        if directory.origin.exists():
            remove(removal_of(directory.path))
            assert not directory.path.exists()
