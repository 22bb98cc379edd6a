"""The state of a run is read from its folder, and a damaged one never raises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from made_runs import make_run

from seqzoo.runs.changes import Change, Setting
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.listing import runs_in, statuses_in
from seqzoo.runs.pruning import prune
from seqzoo.runs.status import RunState, finished_sentence, status_of


def state(directory: RunDirectory) -> str:
    return status_of(directory).state.value


def test_a_run_is_finished_when_its_budget_is_spent_and_its_result_is_of_its_last_step(
    tmp_path: Path,
) -> None:
    assert state(make_run(tmp_path / "a")) == "finished"
    assert state(make_run(tmp_path / "b", scored_at=None)) == "not scored"
    assert state(make_run(tmp_path / "c", scored_at=30)) == "not scored"
    assert state(make_run(tmp_path / "d", steps=(30,), scored_at=None)) == "stopped"
    # Scored with 'seqzoo eval' before its end.
    assert state(make_run(tmp_path / "e", steps=(30,), scored_at=30)) == "stopped"


@pytest.mark.parametrize(
    ("budget", "epochs", "expected"),
    [
        ("{bytes: 600}", None, "finished"),
        ("{bytes: 601}", None, "stopped"),
        ("{seconds: 6}", None, "finished"),
        ("{seconds: 6.5}", None, "stopped"),
        ("{epochs: 1}", 1.0, "finished"),
        ("{epochs: 1}", 0.99, "stopped"),
        ("{steps: 60, epochs: 2}", None, "finished"),
    ],
)
def test_every_kind_of_budget_can_be_spent(
    tmp_path: Path, budget: str, epochs: float | None, expected: str
) -> None:
    assert state(make_run(tmp_path / "a", budget=budget, epochs=epochs)) == expected


def test_a_result_that_is_older_than_a_change_of_settings_is_not_the_runs(tmp_path: Path) -> None:
    directory = make_run(tmp_path / "a")
    for day, expected in ((1, "finished"), (3, "not scored")):
        change = Change(
            step=60,
            at=datetime(2026, 1, day, tzinfo=UTC),
            recipe_sha256="of another recipe",
            settings=(Setting(key="evaluate.lanes", before=1, after=2),),
        )
        directory.changes.write_text(json.dumps({"changes": [change.model_dump(mode="json")]}))
        assert state(directory) == expected


def test_a_run_that_is_locked_is_running_with_its_process_and_its_logged_step(
    tmp_path: Path,
) -> None:
    directory = make_run(tmp_path / "a", steps=(30,), scored_at=None)
    directory.metrics.write_text('{"step": 40, "bytes": 400}\n{"step": 45, "bytes": 450}\n{"st')
    with directory.locked():
        status = status_of(RunDirectory(tmp_path / "a"))
        assert (status.state, status.reason) == (RunState.RUNNING, f"process {os.getpid()}")
        assert (status.step, status.share, status.progress) == (45, 0.75, "45 of 60")
    assert state(directory) == "stopped"


def test_asking_for_the_holder_never_makes_a_lock_or_disturbs_one(tmp_path: Path) -> None:
    directory = make_run(tmp_path / "a")
    assert directory.holder() is None
    assert not directory.lock.exists()
    with directory.locked():
        assert directory.holder() == str(os.getpid())
    with directory.locked():
        pass


def test_a_run_that_diverged_says_why(tmp_path: Path) -> None:
    directory = make_run(tmp_path / "a", steps=(30,), scored_at=None)
    directory.diverged.write_text("the loss stopped being finite at step 31.\n")
    status = status_of(directory)
    assert status.state is RunState.DIVERGED
    assert "at step 31" in status.reason
    assert not status.can_resume


DAMAGES = {
    "recipe.yaml": b"{",
    "recipe.yaml ": b"name: x\n",
    "recipe.yaml  ": b"\xff\xfe\x00",
    "changes.json": b"[]",
    "origin.json": b"",
    "origin.json ": b'{"base": "/"}',
    "checkpoints/step-60/MANIFEST.json": b"{}",
    "checkpoints/step-60/state.json": b"[]",
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_a_state_with_a_reason(tmp_path: Path, name: str) -> None:
    directory = make_run(tmp_path / "a", steps=(60,))
    path = directory.path / name.strip()
    path.write_bytes(DAMAGES[name])
    status = status_of(directory)
    assert status.state is RunState.DAMAGED
    assert path.name in status.reason or path.parent.name in status.reason
    assert "\n" not in status.reason
    path.unlink()
    if path.name != "changes.json":
        assert state(directory) == "damaged"
    path.mkdir()
    assert state(directory) == "damaged"


def test_a_damaged_newest_checkpoint_is_passed_over_as_resume_does(tmp_path: Path) -> None:
    directory = make_run(tmp_path / "a", scored_at=None)
    (directory.checkpoints / "step-60" / "state.json").unlink()
    assert (state(directory), status_of(directory).step) == ("stopped", 30)


def test_a_damaged_result_is_made_again_by_resume(tmp_path: Path) -> None:
    directory = make_run(tmp_path / "a")
    directory.result.write_text("{")
    status = status_of(directory)
    assert (status.state, status.can_resume) == (RunState.TRAINED, True)
    assert "is not JSON" in status.reason


def test_runs_are_found_in_a_folder_and_in_sweeps_in_it(tmp_path: Path) -> None:
    make_run(tmp_path / "a")
    make_run(tmp_path / "sweep" / "b")
    (tmp_path / "sweep" / "sweep.yaml").write_text("")
    (tmp_path / "sweep" / "logs").mkdir()
    make_run(tmp_path / "deep" / "deeper" / "c")
    make_run(tmp_path / ".hidden")
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "broken").symlink_to("nowhere")
    make_run(tmp_path / "lost").recipe.unlink()
    found = [directory.path.relative_to(tmp_path).as_posix() for directory in runs_in(tmp_path)]
    assert found == ["a", "lost", "sweep/b"]
    assert runs_in(tmp_path / "nowhere") == []


def test_the_run_that_was_written_to_last_is_first_and_a_note_does_not_count(
    tmp_path: Path,
) -> None:
    for age, name in enumerate(("new", "old", "oldest")):
        directory = make_run(tmp_path / name)
        for path in (*directory.path.rglob("*"), directory.path):
            os.utime(path, (1_000_000 - age, 1_000_000 - age))
    RunDirectory(tmp_path / "oldest").note.write_text("a note\n")
    statuses = statuses_in(tmp_path)
    assert [status.directory.path.name for status in statuses] == ["new", "old", "oldest"]
    assert [status.note for status in statuses] == ["", "", "a note"]


def test_the_size_is_that_of_the_files_and_links_are_not_followed(tmp_path: Path) -> None:
    directory = make_run(tmp_path / "a")
    files = [path for path in directory.path.rglob("*") if path.is_file()]
    size = sum(len(path.read_bytes()) for path in files)
    assert status_of(directory).size_bytes == size
    (tmp_path / "large").write_bytes(b"0" * 10_000)
    (directory.path / "link").symlink_to(tmp_path / "large")
    assert status_of(directory).size_bytes < size + 1000


def test_a_finished_run_is_told_apart_with_how_to_train_it_longer(tmp_path: Path) -> None:
    directory = make_run(tmp_path / "my run", budget="{steps: 60, epochs: 0.5}", test=2.5)
    sentence = finished_sentence(status_of(directory))
    assert "60 updates, 2.500 bits per byte on test" in sentence
    command = f"seqzoo resume '{directory.path}' train.budget.steps=120 train.budget.epochs=1.0"
    assert sentence.endswith(command)


def test_a_pruned_run_is_not_said_to_train_longer_but_to_start_another_run(
    tmp_path: Path,
) -> None:
    directory = make_run(tmp_path / "my run")
    assert not status_of(directory).is_pruned
    prune(directory)
    status = status_of(directory)
    assert (status.state, status.is_pruned) == (RunState.FINISHED, True)
    sentence = finished_sentence(status)
    assert "resume" not in sentence
    assert "train.budget" not in sentence
    assert sentence.endswith(f"recipe.yaml' train.start_from='{directory.path}'")


def test_states_are_read_without_torch(tmp_path: Path) -> None:
    make_run(tmp_path / "a")
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from seqzoo.runs.listing import statuses_in\n"
        f"assert statuses_in(Path({str(tmp_path)!r}))[0].state == 'finished'\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
