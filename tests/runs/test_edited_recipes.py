"""A recipe.yaml that was edited by hand is noticed: what has been trained cannot change unsaid."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import SMALL, result_of

import seqzoo
from seqzoo.errors import CheckpointError, RecipeError
from seqzoo.runs.changes import read_changes
from seqzoo.runs.directory import RunDirectory
from seqzoo.training.checkpoint_files import checkpoint_steps
from seqzoo.training.updates import Training

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

RECIPE: Mapping[str, Any] = yaml.safe_load(SMALL)
SHORT: Mapping[str, Any] = {
    "train.budget.steps": 12,
    "train.checkpoint.every_steps": 4,
    "train.validation.every_steps": 0,
    "baselines.include": [],
    "sample.length": 20,
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return seqzoo.run(RECIPE, SHORT, root=tmp_path_factory.mktemp("runs")).path


@pytest.fixture
def stopped(finished: Path, tmp_path: Path) -> Path:
    """The same run as if it had been killed after step 8."""
    run = Path(shutil.copytree(finished, tmp_path / "small"))
    shutil.rmtree(run / "checkpoints" / "step-12")
    (run / "result.json").unlink()
    return run


def edit(run: Path, before: str, after: str) -> int:
    """Replace a text of recipe.yaml; the number of the line that changed."""
    old = (run / "recipe.yaml").read_text()
    assert old.count(before) == 1
    new = old.replace(before, after)
    (run / "recipe.yaml").write_text(new)
    lines = zip(old.split("\n"), new.split("\n"), strict=True)
    return 1 + [one == other for one, other in lines].index(False)


UNCHANGEABLE = [
    ("learning_rate: 0.01\n", "learning_rate: 0.5\n", "train.optimizer.learning_rate"),
    ("\n  seed: 1\n  valid", "\n  seed: 2\n  valid", "train.seed"),
    ("clip_norm: 1.0", "clip_norm: 7.5", "train.clip_norm"),
    ("hidden_size: 16", "hidden_size: 31", "architecture.options.hidden_size"),
    ("precision: float32", "precision: bfloat16", "runtime.precision"),
]


@pytest.mark.parametrize(("before", "after", "key"), UNCHANGEABLE)
def test_a_setting_that_decided_the_weights_cannot_change(
    stopped: Path, before: str, after: str, key: str
) -> None:
    edit(stopped, before.replace("$(?m)", ""), after)
    line = (stopped / "recipe.yaml").read_text()[:None].split(after.strip())[0].count("\n") + 1
    for use in (
        lambda: seqzoo.resume(stopped),
        lambda: list(seqzoo.open_run(stopped).generate(length=2)),
        lambda: seqzoo.open_run(stopped).score(b"abc"),
    ):
        with pytest.raises(RecipeError) as caught:
            use()
        message = str(caught.value)
        assert f"{stopped / 'recipe.yaml'}:{line}:" in message
        assert re.search(rf"{re.escape(key)} is .*, and the run was trained with .*set it", message)
    assert read_changes(RunDirectory(stopped)) == ()


def test_a_longer_budget_is_said_and_recorded_as_if_it_were_given(
    stopped: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = Path(shutil.copytree(stopped, tmp_path / "given"))
    seqzoo.resume(given, {"train.budget.steps": 16})
    edit(stopped, "steps: 12", "steps: 16")
    seqzoo.resume(stopped, show_progress=True)
    assert "train.budget.steps changes from 12 to 16" in capsys.readouterr().err
    for run in (given, stopped):
        (change,) = read_changes(RunDirectory(run))
        assert change.step == 8
        assert [each.key for each in change.settings] == ["train.budget.steps"]
    equal = ("weights_sha256", "fingerprint", "changes")
    assert [result_of(given)[key] for key in equal] == [result_of(stopped)[key] for key in equal]


def test_a_recorded_change_is_not_taken_for_an_edit(
    stopped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the change was recorded, before the next checkpoint; then resumed."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Training, "update", killed)
        with pytest.raises(seqzoo.Interrupted):
            seqzoo.resume(stopped, {"train.budget.steps": 16, "evaluate.max_bytes": 2000})
    assert checkpoint_steps(stopped / "checkpoints")[-1] == 8
    seqzoo.open_run(stopped).score(b"abc")
    seqzoo.resume(stopped)
    assert checkpoint_steps(stopped / "checkpoints")[-1] == 16
    assert len(read_changes(RunDirectory(stopped))) == 1


def test_an_edit_that_is_taken_back_by_an_override_is_corrected_in_the_file(stopped: Path) -> None:
    edit(stopped, "    learning_rate: 0.01\n", "    learning_rate: 0.5\n")
    seqzoo.resume(stopped, {"train.optimizer.learning_rate": 0.01})
    assert "    learning_rate: 0.01" in (stopped / "recipe.yaml").read_text()
    assert read_changes(RunDirectory(stopped)) == ()


def test_comments_and_layout_are_no_edit(stopped: Path, finished: Path) -> None:
    path = stopped / "recipe.yaml"
    path.write_text("# a note\n" + path.read_text())
    seqzoo.resume(stopped)
    assert result_of(stopped)["weights_sha256"] == result_of(finished)["weights_sha256"]
    assert read_changes(RunDirectory(stopped)) == ()


def test_checkpoints_of_another_seed_are_never_continued(
    stopped: Path, tmp_path: Path, finished: Path
) -> None:
    other = seqzoo.run(RECIPE, {**SHORT, "train.seed": 7}, root=tmp_path / "other").path
    shutil.rmtree(stopped / "checkpoints")
    shutil.copytree(other / "checkpoints", stopped / "checkpoints")
    with pytest.raises(CheckpointError, match="is a checkpoint of another run"):
        seqzoo.resume(stopped)
    with pytest.raises(CheckpointError, match="is a checkpoint of another run"):
        seqzoo.open_run(stopped).score(b"abc")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"fell_back": false', '"fell_back": true'),
        ('"started_from": null', '"started_from": {"path": "x", "weights_sha256": "ab"}'),
        ('"plugin": "lstm"', '"plugin": "lstn"'),
    ],
)
def test_an_edited_origin_is_noticed(stopped: Path, before: str, after: str) -> None:
    path = stopped / "origin.json"
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))
    for use in (lambda: seqzoo.resume(stopped), lambda: seqzoo.open_run(stopped).score(b"abc")):
        with pytest.raises(CheckpointError, match=r"origin\.json has changed since step 8"):
            use()


def test_a_run_that_was_moved_to_another_folder_continues(stopped: Path, finished: Path) -> None:
    path = stopped / "origin.json"
    origin = json.loads(path.read_text())
    path.write_text(json.dumps({**origin, "base": str(stopped.parent)}))
    seqzoo.resume(stopped)
    assert result_of(stopped)["weights_sha256"] == result_of(finished)["weights_sha256"]


@pytest.mark.parametrize("name", ["lock", "metrics.jsonl", "timing.jsonl", "trackers.json"])
def test_nothing_is_written_through_a_link(stopped: Path, tmp_path: Path, name: str) -> None:
    diary = tmp_path / "diary.txt"
    diary.write_text("dear diary")
    recipe = stopped / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("trackers: []", "trackers: [{name: csv}]"))
    (stopped / name).unlink(missing_ok=True)
    (stopped / name).symlink_to(diary)
    refused = contextlib.suppress(seqzoo.SeqzooError)  # a run continues without its trackers
    with refused as _, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        seqzoo.resume(stopped)
        assert any(str(stopped / name) in str(each.message) for each in said)
    assert diary.read_text() == "dear diary"


@pytest.mark.parametrize("name", ["samples", "checkpoints"])
def test_no_folder_of_a_run_is_a_link(stopped: Path, tmp_path: Path, name: str) -> None:
    own = stopped / name
    own.rename(tmp_path / "elsewhere")
    own.symlink_to(tmp_path / "elsewhere")
    before = sorted((tmp_path / "elsewhere").rglob("*"))
    with pytest.raises(seqzoo.SeqzooError, match=f"{name} is a link"):
        seqzoo.resume(stopped)
    assert sorted((tmp_path / "elsewhere").rglob("*")) == before


def test_the_recipe_of_a_checkpoint_is_that_of_its_run(finished: Path) -> None:
    state = json.loads((finished / "checkpoints" / "step-12" / "state.json").read_text())
    assert state["recipe"] == (finished / "recipe.yaml").read_text()
