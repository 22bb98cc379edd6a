"""Files of a newer seqzoo are reported as such: never used, never replaced, never passed over."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from commands import SMALL, seqzoo
from made_runs import make_run

import seqzoo as api
from seqzoo.runs.status import RunState, status_of

FILES = (
    "result.json",
    "origin.json",
    "changes.json",
    "checkpoints/step-60/MANIFEST.json",
)


def make_newer(path: Path) -> bytes:
    """Raise the format version of a file of a run, which may have other fields too."""
    stored = json.loads(path.read_bytes()) if path.exists() else {"changes": []}
    path.write_text(json.dumps({**stored, "format_version": 99}))
    return path.read_bytes()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("steps", [(30, 60), (60,)])
def test_a_run_with_a_file_of_a_newer_format_is_neither_unscored_nor_damaged(
    tmp_path: Path, name: str, steps: tuple[int, ...]
) -> None:
    directory = make_run(tmp_path / "a", steps=steps)
    make_newer(directory.path / name)
    status = status_of(directory)
    assert status.state is RunState.NEWER
    assert "format version 99" in status.reason
    assert "upgrade seqzoo" in status.reason
    assert (status.can_resume, status.is_unfinished) == (False, False)


def test_the_same_for_a_result_of_a_run_that_is_not_at_its_end(tmp_path: Path) -> None:
    directory = make_run(tmp_path / "a", steps=(30,), scored_at=30)
    make_newer(directory.result)
    assert status_of(directory).state is RunState.NEWER


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of 60 steps; tests copy it."""
    return api.run(yaml.safe_load(SMALL), root=tmp_path_factory.mktemp("runs")).path


@pytest.fixture
def trained(finished: Path, tmp_path: Path) -> Path:
    """A folder with a copy of it, runs/small."""
    shutil.copytree(finished, tmp_path / "runs" / "small")
    return tmp_path


def everything_in(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "lock"
    }


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "command",
    ["resume {run}", "resume {run} train.budget.steps=90", "eval {run}", "runs prune {run}"],
)
def test_no_command_replaces_what_a_newer_seqzoo_has_written(
    trained: Path, name: str, command: str
) -> None:
    run = trained / "runs" / "small"
    make_newer(run / name)
    before = everything_in(run)
    done = seqzoo(*command.format(run="runs/small").split(), folder=trained)
    assert done.returncode == 2
    said = done.stderr.splitlines()[-1]
    assert "format version 99" in said
    assert "upgrade seqzoo" in said
    assert everything_in(run) == before


def test_the_table_of_runs_proposes_no_resume_of_it(tmp_path: Path) -> None:
    make_newer(make_run(tmp_path / "runs" / "a").result)
    shown = seqzoo("runs", folder=tmp_path).stdout
    assert "newer" in shown.splitlines()[1]
    assert "upgrade seqzoo" in shown
    assert "not scored" not in shown
    assert "resume" not in shown
