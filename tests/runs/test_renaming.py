"""A renamed run, and the records that keep its old name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_runs import make_run

from seqzoo.errors import LockedError, UsageError
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.renaming import rename_run
from seqzoo.runs.status import RunState, status_of


def test_a_run_is_renamed_in_its_folder(tmp_path: Path) -> None:
    make_run(tmp_path / "a")
    for name, found in (("b", "b"), (str(tmp_path / "c"), "c")):
        (old,) = tmp_path.iterdir()
        assert rename_run(old, name) == (tmp_path / found, [])
        assert status_of(RunDirectory(tmp_path / found)).state is RunState.FINISHED
        assert [path.name for path in tmp_path.iterdir()] == [found]


def test_a_relative_run_stays_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path / "runs" / "a")
    monkeypatch.chdir(tmp_path)
    assert rename_run(Path("runs/a"), "runs/b")[0] == Path("runs/b")
    monkeypatch.chdir(tmp_path / "runs")
    assert rename_run(Path("b"), "c")[0] == tmp_path / "runs" / "c"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("b", "exists; runs are never overwritten"),
        ("link", "exists; runs are never overwritten"),
        ("../b", "in another folder"),
        ("/b", "in another folder"),
        ("größe", "cannot name a run"),
        ("-x", "cannot name a run"),
        ("", "cannot name a run"),
        ("..", "cannot name a run"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused(tmp_path: Path, name: str, message: str) -> None:
    make_run(tmp_path / "runs" / "a")
    make_run(tmp_path / "runs" / "b")
    (tmp_path / "runs" / "link").symlink_to("nowhere")
    with pytest.raises(UsageError, match=message):
        rename_run(tmp_path / "runs" / "a", name)
    assert (tmp_path / "runs" / "a" / "recipe.yaml").exists()


def test_a_run_in_use_is_not_renamed(tmp_path: Path) -> None:
    directory = make_run(tmp_path / "a")
    with directory.locked(), pytest.raises(LockedError):
        rename_run(directory.path, "b")
    assert directory.path.exists()


def test_records_that_keep_the_old_name_are_reported(tmp_path: Path) -> None:
    make_run(tmp_path / "a")
    other = make_run(tmp_path / "tuned")
    origin = json.loads(other.origin.read_text())
    start = {"path": "../a", "step": 60, "weights_sha256": "c" * 64}
    other.origin.write_text(json.dumps({**origin, "started_from": start}))
    make_run(tmp_path / "broken").origin.write_text("{")
    (tmp_path / "sweep.yaml").write_text("")
    _, (started, sweep) = rename_run(tmp_path / "a", "b")
    assert "tuned started from the weights of" in started
    assert "would train it again" in sweep
