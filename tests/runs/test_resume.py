"""A run that is resumed: with other settings, when it is finished, and when only scores miss."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from commands import SMALL

import seqzoo
from seqzoo.errors import DivergedError, EnvironmentFault
from seqzoo.model.kernels import CPU_KERNELS
from seqzoo.model.runtime import make_runtime
from seqzoo.runs.changes import read_changes
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.listing import require_one_run
from seqzoo.runs.reopen import recorded_runtime
from seqzoo.terminal.display import Display
from seqzoo.training import checkpoint as checkpoints

RECIPE: Mapping[str, Any] = yaml.safe_load(SMALL)
SHORT: dict[str, Any] = {"train.budget.steps": 20, "corpus.options.size_bytes": 20_000}
LONGER = {"train.budget.steps": 40}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of 20 steps; tests copy it."""
    return seqzoo.run(RECIPE, SHORT, root=tmp_path_factory.mktemp("runs")).path


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "runs" / "small"))


def files(run: Path) -> dict[str, bytes]:
    """All files that hold what a run is, except those that time changes."""
    changing = ("lock", "timing.jsonl", "MANIFEST.json", "state.json")
    return {
        path.relative_to(run).as_posix(): path.read_bytes()
        for path in run.rglob("*")
        if path.is_file() and path.name not in changing
    }


def result(run: Path) -> dict[str, Any]:
    return dict(json.loads((run / "result.json").read_text()))


class Killed(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


def kill_at(step: int, patch: pytest.MonkeyPatch) -> None:
    """End the process when the checkpoint of a step has been written."""
    save = checkpoints.save

    def saved(folder: Path, checkpoint: checkpoints.Checkpoint, **options: Any) -> Path:
        path = save(folder, checkpoint, **options)
        if checkpoint.step == step:
            raise Killed
        return path

    patch.setattr(checkpoints, "save", saved)


@pytest.mark.parametrize("stop", [30, 40])
def test_an_extension_that_is_killed_and_resumed_equals_an_uninterrupted_one_bit_for_bit(
    run: Path, stop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Path(shutil.copytree(run, run.parent / "whole"))
    seqzoo.resume(whole, LONGER)
    with monkeypatch.context() as patch:
        kill_at(stop, patch)
        with pytest.raises(Killed):
            seqzoo.resume(run, LONGER)
    assert result(run)["steps"] == 20
    seqzoo.resume(run)
    ours, theirs = files(run), files(whole)
    for made_at_other_times in ("result.json", "changes.json"):
        del ours[made_at_other_times], theirs[made_at_other_times]
    assert ours == theirs
    for field in ("weights_sha256", "scores", "changes", "fingerprint", "steps"):
        assert result(run)[field] == result(whole)[field]


def test_the_learning_rate_follows_the_share_of_the_new_budget(run: Path) -> None:
    schedule = {"train.schedule.decay": "linear", "train.schedule.final_fraction": 0.5}
    first = seqzoo.run(RECIPE, {**SHORT, **schedule}, root=run.parent, name="linear")
    longer = seqzoo.resume(first.path, LONGER).metrics()
    rates = dict(zip(longer["step"], longer["learning_rate"], strict=True))
    rate = RECIPE["train"]["optimizer"]["learning_rate"]
    # The rate of the update after the step, of 20 and then of 40 in all.
    for step, total in ((10, 20), (20, 20), (30, 40), (40, 40)):
        assert rates[step] == pytest.approx(rate * (1 - 0.5 * step / total))


def test_a_change_is_kept_with_the_run_and_its_result(run: Path) -> None:
    before = result(run)
    done = seqzoo.resume(run, {**LONGER, "sample.length": 5, "train.log_every_steps": 7})
    assert done.recipe.train.budget.steps == 40
    assert seqzoo.open_run(run).recipe.sample.length == 5
    (change,) = read_changes(RunDirectory(run))
    assert change.step == 20
    assert {(each.key, each.before, each.after) for each in change.settings} == {
        ("train.budget.steps", 20, 40),
        ("sample.length", 20, 5),
        ("train.log_every_steps", 5, 7),
    }
    # Only what decides the weights is in the result.
    assert result(run)["changes"] == [
        {"step": 20, "key": "train.budget.steps", "before": 20, "after": 40}
    ]
    assert before["changes"] == []
    straight = seqzoo.run(RECIPE, {**SHORT, **LONGER}, root=run.parent, name="straight")
    prints = [
        before["fingerprint"],
        result(run)["fingerprint"],
        result(straight.path)["fingerprint"],
    ]
    assert len(set(prints)) == 3


def test_a_change_before_the_first_update_is_as_if_started_with_it(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = run.parent
    with monkeypatch.context() as patch:
        kill_at(0, patch)
        with pytest.raises(Killed):
            seqzoo.run(RECIPE, SHORT, root=root, name="early")
    seqzoo.resume(root / "early", {"train.budget.steps": 25})
    seqzoo.run(RECIPE, {**SHORT, "train.budget.steps": 25}, root=root, name="straight")
    for field in ("weights_sha256", "fingerprint", "changes"):
        assert result(root / "early")[field] == result(root / "straight")[field]


def test_a_change_that_is_killed_at_any_write_did_or_did_not_happen(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each replacing of a file is the last one, in turn, until none of the change is left."""
    seen, replace = set(), os.replace
    for last in range(1, 5):
        copy = Path(shutil.copytree(run, run.parent / f"killed-{last}"))
        left = [last]

        def stop(*arguments: Any, left: list[int] = left) -> None:
            left[0] -= 1
            if not left[0]:
                raise Killed
            replace(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr("seqzoo.storage.os.replace", stop)
            kill_at(30, patch)
            with pytest.raises(Killed):
                seqzoo.resume(copy, LONGER)
        budget = seqzoo.open_run(copy).recipe.train.budget.steps
        changes = read_changes(RunDirectory(copy))
        assert (budget, len(changes)) in ((20, 0), (40, 1))
        seen.add(budget)
        again = seqzoo.resume(copy, LONGER)
        assert again.result is not None
        assert again.result.steps == 40
        assert [change.before for change in again.result.changes] == [20]
    assert seen == {20, 40}


REFUSED = {
    "architecture.options.hidden_size": 8,
    "architecture.name": "gru",
    "tokenizer.name": "chars",
    "corpus.name": "tinyshakespeare",
    "corpus.split": {"train": 0.8, "validation": 0.1, "test": 0.1},
    "name": "other",
    "train.seed": 2,
    "train.batch_size": 4,
    "train.bptt_length": 8,
    "train.optimizer.learning_rate": 0.5,
    "train.schedule.decay": "constant",
    "train.start_from": "elsewhere",
    "runtime.precision": "bfloat16",
}


@pytest.mark.parametrize("key", REFUSED)
def test_what_has_been_trained_with_cannot_change(run: Path, key: str) -> None:
    before = files(run)
    with pytest.raises(seqzoo.UsageError, match=r"start a new run|to rename it") as caught:
        seqzoo.resume(run, {key: REFUSED[key]})
    assert f"{key} cannot change in a run" in str(caught.value) or key == "corpus.split"
    assert files(run) == before


def test_all_mistakes_are_reported_at_once_with_suggestions(run: Path) -> None:
    wrong = ["train.bugdet.steps=3", "train.seed=2", "train.budget.steps=few", "evaluate"]
    with pytest.raises(seqzoo.UsageError) as caught:
        seqzoo.resume(run, [*wrong, "sample.length=3"])
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    for part in ("Did you mean 'train.budget", "train.seed cannot change", "'few'", "key=value"):
        assert sum(part in line for line in lines) == 1


def test_a_value_that_the_run_already_has_is_no_change(run: Path) -> None:
    before = files(run)
    seqzoo.resume(run, {"train.batch_size": 8, "train.budget.steps": 20})
    assert files(run) == before


def test_a_budget_that_is_already_used_up_is_refused(run: Path) -> None:
    before = files(run)
    for unit, limit in (("steps", 19), ("bytes", 10), ("epochs", 0.1), ("seconds", 1e-6)):
        with pytest.raises(seqzoo.UsageError, match=rf"budget.{unit}=.* has trained: 20 steps"):
            seqzoo.resume(run, {f"train.budget.{unit}": limit})
    with pytest.raises(seqzoo.UsageError, match=r"budget.epochs=0.1 is less than"):
        seqzoo.resume(run, {**LONGER, "train.budget.epochs": 0.1})
    assert files(run) == before


@pytest.mark.parametrize(
    "overrides",
    [
        {"train.budget.epochs": 9.5},
        {"train.budget.epochs": 9.5, "sample.length": 3},
        {"train.budget.steps": None, "train.budget.bytes": 20 * 8 * 16},
    ],
)
def test_a_change_of_the_budget_that_leaves_a_finished_run_finished_is_refused(
    run: Path, overrides: dict[str, Any]
) -> None:
    before = files(run)
    with pytest.raises(seqzoo.UsageError, match=r"has trained all of .* or train.budget.\w+=null"):
        seqzoo.resume(run, overrides)
    assert files(run) == before


def test_another_unit_of_the_budget_replaces_the_one_that_is_spent(run: Path) -> None:
    done = seqzoo.resume(run, {"train.budget.steps": None, "train.budget.epochs": 0.4})
    assert done.result is not None
    assert done.result.steps > 20


def test_another_text_cannot_be_used_and_nothing_is_changed(run: Path) -> None:
    before = files(run)
    for overrides in ({"corpus.options.seed": 9}, {"corpus.options.seed": 9, **LONGER}):
        with pytest.raises(seqzoo.UsageError, match="was trained on a corpus with sha256"):
            seqzoo.resume(run, overrides)
    assert files(run) == before


def test_a_text_that_was_moved_is_found_at_its_new_place(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_bytes(bytes(range(32, 127)) * 100)
    corpus = {"corpus": {"name": "file", "options": {"path": str(text)}}}
    first = seqzoo.run({**RECIPE, **corpus}, {"train.budget.steps": 6}, root=tmp_path)
    moved = text.rename(tmp_path / "moved.txt")
    longer = {"train.budget.steps": 9}
    with pytest.raises(seqzoo.SeqzooError, match=r"text.txt"):
        seqzoo.resume(first.path, longer)
    again = seqzoo.resume(first.path, {**longer, "corpus.options.path": str(moved)})
    assert again.result is not None
    assert again.result.steps == 9


def test_other_threads_are_allowed_with_a_warning(run: Path) -> None:
    with pytest.warns(UserWarning, match="the number of threads was 1 and is 2: .* may differ"):
        seqzoo.resume(run, {**LONGER, "runtime.threads": 2})


def test_a_finished_run_is_returned_as_it_is_without_torch(run: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    code = (
        "import sys, seqzoo\n"
        f"run = seqzoo.resume({str(run)!r}, show_progress=True)\n"
        "assert run.result.steps == 20\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "is finished: 20 updates" in done.stderr
    assert "train.budget.steps=40" in done.stderr
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


@pytest.mark.parametrize("missing", ["result.json", "samples/step-20-1.txt"])
def test_a_trained_run_without_scores_or_samples_is_only_scored(run: Path, missing: str) -> None:
    before, scores = files(run), result(run)["scores"]
    (run / missing).unlink()
    checkpoint = run / "checkpoints" / "step-20"
    checkpoint_time = checkpoint.stat().st_mtime_ns
    seqzoo.resume(run)
    assert result(run)["scores"] == scores
    assert {**files(run), "result.json": b""} == {**before, "result.json": b""}
    assert checkpoint.stat().st_mtime_ns == checkpoint_time


def test_scores_are_made_again_after_a_change_of_how_they_are_made(run: Path) -> None:
    before = result(run)
    seqzoo.resume(run, {"evaluate.lanes": 2, "evaluate.warmup_tokens": 5})
    assert result(run)["protocol"]["lanes"] == 2
    assert result(run)["fingerprint"] == before["fingerprint"]
    assert result(run)["changes"] == []


NEW_SAMPLES: dict[str, Any] = {
    "sample.prompt": "JULIET:",
    "sample.length": 7,
    "sample.seed": 5,
    "sample.chain": ["greedy"],
    "sample.count": 3,
}


@pytest.mark.parametrize("key", NEW_SAMPLES)
def test_new_settings_of_samples_write_new_samples_and_leave_the_scores(
    run: Path, key: str
) -> None:
    before, old = files(run), sorted(path.name for path in (run / "samples").iterdir())
    seqzoo.resume(run, {key: NEW_SAMPLES[key]})
    after = files(run)
    assert after["result.json"] == before["result.json"]
    if key == "sample.count":
        assert set(old) < {path.name for path in (run / "samples").iterdir()}
    else:
        assert after["samples/step-20-1.txt"] != before["samples/step-20-1.txt"]
    # The settings of the start give the samples of the start.
    seqzoo.resume(run, {key: RECIPE["sample"].get(key.partition(".")[2], DEFAULTS.get(key))})
    again = files(run)
    for name in ("recipe.yaml", "changes.json"):
        again.pop(name)
        before.pop(name, None)
    assert again == before


DEFAULTS: dict[str, Any] = {
    "sample.prompt": "",
    "sample.seed": 1,
    "sample.chain": [],
    "sample.count": 1,
}


def test_samples_of_changed_settings_are_written_by_the_next_resume_if_they_are_missing(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = result(run)

    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("seqzoo.runs.resume.write_samples", killed)
        with pytest.raises(Killed):
            seqzoo.resume(run, {"sample.prompt": "JULIET:"})
    seqzoo.resume(run)
    assert (run / "samples" / "step-20-1.txt").read_bytes().startswith(b"JULIET:")
    assert result(run) == before
    written = files(run)
    seqzoo.resume(run)
    assert files(run) == written


def test_a_run_that_was_scored_before_its_end_is_not_finished(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        kill_at(30, patch)
        with pytest.raises(Killed):
            seqzoo.resume(run, LONGER)
    command = [sys.executable, "-m", "seqzoo", "eval", str(run)]
    subprocess.run(command, check=True, capture_output=True)
    assert result(run)["steps"] == 30
    done = seqzoo.resume(run)
    assert done.result is not None
    assert done.result.steps == 40


def test_a_run_that_diverged_leaves_why_until_it_is_resumed(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seqzoo.training.updates import Training

    def diverge(training: Training) -> None:
        raise DivergedError(f"the loss stopped being finite at step {training.step + 1}.")

    with monkeypatch.context() as patch:
        patch.setattr(Training, "update", diverge)
        with pytest.raises(DivergedError):
            seqzoo.resume(run, LONGER)
    assert "finite at step 21" in RunDirectory(run).diverged.read_text()
    with pytest.warns(UserWarning, match="has diverged, and will again"):
        seqzoo.resume(run)
    assert not RunDirectory(run).diverged.exists()


def test_a_folder_that_was_renamed_while_it_was_trained_is_not_written_to(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = checkpoints.save
    moved = run.with_name("moved")

    def rename_after(folder: Path, checkpoint: checkpoints.Checkpoint, **options: Any) -> Path:
        path = save(folder, checkpoint, **options)
        if checkpoint.step == 30:
            run.rename(moved)
        return path

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save", rename_after)
        with pytest.raises(EnvironmentFault, match="was renamed or removed while"):
            seqzoo.resume(run, LONGER)
    assert not run.exists()
    assert 30 in checkpoints.checkpoint_steps(moved / "checkpoints")
    again = seqzoo.resume(moved)
    assert again.result is not None
    assert again.result.steps == 40


def test_a_run_that_another_machine_took_over_is_not_written_to(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = checkpoints.save

    def take_over_after(folder: Path, checkpoint: checkpoints.Checkpoint, **options: Any) -> Path:
        path = save(folder, checkpoint, **options)
        if checkpoint.step == 30:  # a shared disk has released the lock of a machine that was away
            (run / "lock").write_text("7 elsewhere 0123456789abcdef\n")
        return path

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save", take_over_after)
        taken = "was taken over by process 7 of machine elsewhere, so this process stops"
        with pytest.raises(EnvironmentFault, match=taken):
            seqzoo.resume(run, LONGER)
    assert max(checkpoints.checkpoint_steps(run / "checkpoints")) == 30
    again = seqzoo.resume(run)
    assert again.result is not None
    assert again.result.steps == 40


@pytest.mark.parametrize(
    "name", ["metrics.jsonl", "timing.jsonl", "lock", "samples", "result.json"]
)
def test_a_file_that_is_a_folder_or_the_other_way_round_is_one_sentence(
    run: Path, name: str
) -> None:
    path = run / name
    if path.is_dir():
        shutil.rmtree(path)
        path.write_text("a file")
    else:
        path.unlink(missing_ok=True)
        path.mkdir()
    with pytest.raises(seqzoo.SeqzooError, match=name) as caught:
        seqzoo.resume(run, LONGER)
    assert "\n" not in str(caught.value)


def test_a_folder_of_runs_names_those_that_can_be_resumed(run: Path) -> None:
    root = run.parent
    with pytest.raises(seqzoo.UsageError, match="none of them can be resumed"):
        require_one_run(root)
    stopped = Path(shutil.copytree(run, root / "stop ped"))
    (stopped / "result.json").unlink()
    with pytest.raises(seqzoo.UsageError) as caught:
        seqzoo.resume(root)
    assert f"seqzoo resume '{stopped}'" in str(caught.value)
    assert f"resume {run}" not in str(caught.value)


def test_a_pruned_run_says_that_its_training_cannot_continue(run: Path) -> None:
    from seqzoo.training.checkpoint_files import keep_only_weights

    keep_only_weights(run / "checkpoints", {20})
    before = files(run)
    with pytest.raises(seqzoo.UsageError, match=r"was pruned.*train.start_from="):
        seqzoo.resume(run, LONGER)
    assert files(run) == before
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = seqzoo.resume(run, {"sample.length": 3})
    assert again.result is not None
    assert again.result.weights_sha256 == result(run)["weights_sha256"]


def test_what_differs_in_the_machine_is_named_in_words(run: Path) -> None:
    recipe = seqzoo.open_run(run).recipe
    now = make_runtime(recipe.runtime, device="cpu", recorded_threads=1).record()
    before = {**now, "accelerator": "A", "versions": {**now["versions"], "torch": "1.0"}}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        recorded_runtime(recipe, before, None, display=Display())
    said = [str(each.message).partition(":")[0] for each in caught]
    version = now["versions"]["torch"]
    assert said == [
        "the accelerator was A and is none",
        f"the version of torch was 1.0 and is {version}",
    ]


def warnings_of(recorded: Mapping[str, Any], recipe: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        recorded_runtime(recipe, recorded, None, display=Display())
    return [str(each.message).partition(": the run")[0] for each in caught]


@pytest.mark.parametrize(
    ("name", "value", "is_said"),
    [
        ("ATEN_CPU_CAPABILITY", "default", True),
        ("DNNL_MAX_CPU_ISA", "SSE41", True),
        ("ONEDNN_DEFAULT_FPMATH_MODE", "BF16", True),
        ("MKL_CBWR", "COMPATIBLE", True),
        ("CUBLAS_WORKSPACE_CONFIG", ":0:0", False),  # on a GPU only
        ("OPENBLAS_CORETYPE", "Nehalem", True),
        ("NPY_DISABLE_CPU_FEATURES", "AVX2", True),
        ("DNNL_VERBOSE", "1", False),
        ("MKL_NUM_THREADS", "1", False),
        ("LANG", "C", False),
    ],
)
def test_variables_that_choose_kernels_are_compared(
    run: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, is_said: bool
) -> None:
    recipe = seqzoo.open_run(run).recipe
    monkeypatch.delenv(name, raising=False)
    before = make_runtime(recipe.runtime, device="cpu", recorded_threads=1).record()
    assert warnings_of(before, recipe) == []
    monkeypatch.setenv(name, value)
    expected = [f"the variable {name} was none and is {value}"] if is_said else []
    assert warnings_of(before, recipe) == expected
    # A run of an older seqzoo did not record them.
    older = {key: kept for key, kept in before.items() if key != "kernels"}
    assert warnings_of(older, recipe) == []


def test_other_kernels_of_the_same_processor_are_named(run: Path) -> None:
    recipe = seqzoo.open_run(run).recipe
    now = make_runtime(recipe.runtime, device="cpu", recorded_threads=1).record()
    before = {**now, "kernels": {**now["kernels"], CPU_KERNELS: "AVX1024"}}
    here = torch.backends.cpu.get_cpu_capability()
    assert warnings_of(before, recipe) == [f"the {CPU_KERNELS} was AVX1024 and is {here}"]
