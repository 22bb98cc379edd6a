"""Trackers see a whole run, and a run is the same whatever they do."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from commands import REPOSITORY, SMALL

import seqzoo
from seqzoo.plugin.hooks import hookimpl
from seqzoo.plugin.registry import Owner, load_registry
from seqzoo.plugin.specs import TrackerSpec
from seqzoo.runs import tracker_process, tracking
from seqzoo.training.updates import Training

PLUGIN = REPOSITORY / "tests" / "support" / "received_plugin.py"
RECIPE = {
    **yaml.safe_load(SMALL),
    "plugins": [str(PLUGIN)],
    "baselines": {"include": []},
    "trackers": [{"name": "received"}],
}
STEPS = list(range(5, 61, 5))


def tracker(**options: str) -> dict[str, Any]:
    return {"name": "received", "options": options}


def calls(run: seqzoo.Run, file: str = "received.jsonl") -> list[Any]:
    return [json.loads(line) for line in (run.path / file).read_text().splitlines()]


def logged_steps(run: seqzoo.Run, file: str = "received.jsonl") -> list[int]:
    return [call[1] for call in calls(run, file) if call[0] == "log"]


def sampled_steps(received: list[Any]) -> list[int]:
    return [call[1] for call in received if call[0] == "log_text" and call[2] == "sample"]


def run_with(root: Path, *trackers: dict[str, Any], **options: Any) -> tuple[seqzoo.Run, list[str]]:
    """A run, and what it warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        done = seqzoo.run({**RECIPE, "trackers": list(trackers)}, root=root, **options)
    return done, [str(each.message) for each in caught if each.category is seqzoo.SeqzooWarning]


def sha256_of(run: seqzoo.Run) -> str:
    assert run.result is not None
    return run.result.weights_sha256


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> seqzoo.Run:
    """The run without a tracker."""
    return run_with(tmp_path_factory.mktemp("alone"))[0]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> seqzoo.Run:
    """The run with a tracker that works."""
    done, warned = run_with(tmp_path_factory.mktemp("watched"), tracker())
    assert not warned
    return done


def test_a_tracker_receives_a_whole_run_in_order(watched: seqzoo.Run) -> None:
    received = calls(watched)
    kinds = [call[0] for call in received]
    assert kinds[0] == "open"
    assert kinds[-2:] == ["finish", "close"]
    assert received[-2] == ["finish", sha256_of(watched), "finished"]
    assert received[-3][:3] == ["log_text", 60, "sample-1"]
    assert sampled_steps(received) == [25, 50, 60]
    assert (watched.path / "samples" / "step-25.txt").read_text() in [call[-1] for call in received]


def test_a_tracker_receives_what_the_logs_say(watched: seqzoo.Run) -> None:
    merged: dict[int, dict[str, float]] = {}
    for name in ("metrics.jsonl", "timing.jsonl"):
        for line in map(json.loads, (watched.path / name).read_text().splitlines()):
            merged.setdefault(line.pop("step"), {}).update(line)
    assert {call[1]: call[2] for call in calls(watched) if call[0] == "log"} == merged
    assert logged_steps(watched) == STEPS


def test_a_tracker_is_opened_with_the_run_it_belongs_to(watched: seqzoo.Run) -> None:
    _, opened = calls(watched)[0]
    assert opened["resumed_from"] is None
    assert opened["run_name"] == "small"
    assert opened["hidden_size"] == 16
    assert len(opened["run_id"]) == 16


def test_the_process_of_a_tracker_loads_torch_only_if_the_tracker_does(watched: seqzoo.Run) -> None:
    assert not calls(watched)[0][1]["has_torch"]


def test_two_runs_have_different_ids(watched: seqzoo.Run, tmp_path: Path) -> None:
    other, _ = run_with(tmp_path, tracker())
    assert calls(other)[0][1]["run_id"] != calls(watched)[0][1]["run_id"]


FAILURES = [
    *(
        (where, "boom", "RuntimeError: boom (received_plugin.py, line ")
        for where in ("open", "log", "log_text", "finish", "close")
    ),
    ("log", "odd", "Odd (received_plugin.py"),
    ("log", "generator_exit", "GeneratorExit"),
    ("log", "keyboard_interrupt", "KeyboardInterrupt"),
    ("open", "leave", "it called sys.exit('enough')"),
    ("finish", "leave", "it called sys.exit('enough')"),
    ("log", "quit_at_once", "its process ended with exit code 7"),
    ("log", "crash", "its process was ended by signal 11"),
    ("open", "leave_at_exit", "it called sys.exit('enough')"),
]


def test_trackers_that_fail_are_each_reported_once_and_change_no_bit(
    alone: seqzoo.Run, tmp_path: Path
) -> None:
    trackers = [tracker(where=where, how=how) for where, how, _ in FAILURES]
    done, warned = run_with(tmp_path, *trackers)
    assert sha256_of(done) == sha256_of(alone)
    who = f"tracker 'received' of plugin 'received_plugin.py' ({PLUGIN})"
    assert all(sentence.startswith(f"{who} is left out, and") for sentence in warned)
    for _, _, said in FAILURES:
        expected = sum(said == other for _, _, other in FAILURES)
        assert sum(said in sentence for sentence in warned) == expected, warned
    assert len(warned) == len(FAILURES)


@pytest.mark.slow
def test_trackers_that_never_return_are_each_reported_once_and_change_no_bit(
    alone: seqzoo.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "_MOST_SECONDS", 0.5)
    where = [("open", "block"), ("log", "block"), ("finish", "block"), ("log", "spin")]
    done, warned = run_with(tmp_path, *(tracker(where=at, how=how) for at, how in where))
    assert sha256_of(done) == sha256_of(alone)
    assert len(warned) == len(where)
    assert all("it did not finish; its last answer" in sentence for sentence in warned)


def test_what_trackers_do_to_their_own_processes_changes_no_bit(
    alone: seqzoo.Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = torch.get_default_dtype(), torch.get_num_threads()
    ways = ["change_torch", "talk", "slow"]
    trackers = [tracker(where="log", how=how, file=f"{how}.jsonl") for how in ways]
    done, warned = run_with(tmp_path, *trackers)
    assert not warned
    assert sha256_of(done) == sha256_of(alone)
    assert all(logged_steps(done, f"{how}.jsonl") == STEPS for how in ways)
    assert (torch.get_default_dtype(), torch.get_num_threads()) == before
    assert "step" not in "".join(capfd.readouterr())


def test_other_trackers_receive_what_one_that_fails_does_not(tmp_path: Path) -> None:
    done, warned = run_with(
        tmp_path, tracker(where="log", how="boom", file="bad.jsonl"), tracker(file="good.jsonl")
    )
    assert len(warned) == 1
    assert logged_steps(done, "bad.jsonl") == []
    assert logged_steps(done, "good.jsonl") == STEPS


def test_a_tracker_that_is_too_far_behind_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracker_process, "_MOST_BEHIND", 4)
    _, warned = run_with(tmp_path, tracker(where="open", how="block"))
    (sentence,) = warned
    assert sentence.endswith("it is 5 lines behind.")


def test_what_a_tracker_prints_is_shown_as_a_note_and_not_without_end(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracker_process, "_MOST_LINES", 3)
    run_with(tmp_path, tracker(where="log", how="talk"), show_progress=True)
    captured = capfd.readouterr()
    assert "tracker 'received': step\n" in captured.err
    assert captured.err.count("tracker 'received'") == 3
    assert captured.err.count("further lines are not shown") == 1
    assert not captured.out


def test_a_tracker_that_only_the_registry_of_this_process_has_is_reported(tmp_path: Path) -> None:
    class Here:
        @hookimpl
        def register_trackers(self) -> list[TrackerSpec]:
            return [TrackerSpec(name="here", summary="in memory", open=lambda *_: None)]  # type: ignore[arg-type]

    registry = load_registry()
    registry.add(Here(), Owner("here"))
    recipe = seqzoo.recipe({**RECIPE, "trackers": [{"name": "here"}]}, registry=registry)
    with pytest.warns(seqzoo.SeqzooWarning, match="not installed.* under `plugins`, no others"):
        seqzoo.run(recipe, root=tmp_path)


def test_a_run_that_is_not_scored_finishes_without_a_result(tmp_path: Path) -> None:
    done, _ = run_with(tmp_path, tracker(), skip_scoring=True)
    assert calls(done)[-2:] == [["finish", None, "finished"], ["close"]]


def stopped_by(stop: Any, monkeypatch: pytest.MonkeyPatch, root: Path) -> list[Any]:
    """What a tracker receives of a run that `stop` stops at step 33."""
    real = Training.update

    def update(training: Training) -> Any:
        if training.step == 33:
            stop()
        return real(training)

    monkeypatch.setattr(Training, "update", update)
    with pytest.raises(BaseException) as caught:  # noqa: PT011 (which is not the point here)
        seqzoo.run(RECIPE, root=root)
    assert not isinstance(caught.value, AssertionError)
    return calls(seqzoo.open_run(root / "small"))


def test_a_run_that_fails_is_reported_as_failed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail() -> None:
        raise seqzoo.SeqzooError("other")

    received = stopped_by(fail, monkeypatch, tmp_path)
    assert received[-2:] == [["finish", None, "failed"], ["close"]]


def test_a_signal_is_reported_as_an_interruption(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    received = stopped_by(lambda: os.kill(os.getpid(), signal.SIGINT), monkeypatch, tmp_path)
    assert received[-2:] == [["finish", None, "interrupted"], ["close"]]


def test_a_loss_that_is_not_finite_is_reported_as_a_divergence(tmp_path: Path) -> None:
    rates = {"train.optimizer.learning_rate": 1e30, "train.clip_norm": None}
    with pytest.raises(seqzoo.SeqzooError):
        seqzoo.run(RECIPE, rates, root=tmp_path)
    received = calls(seqzoo.open_run(tmp_path / "small"))
    assert received[-2:] == [["finish", None, "diverged"], ["close"]]


def test_a_resumed_run_sends_each_step_after_the_one_it_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, alone: seqzoo.Run
) -> None:
    with monkeypatch.context() as patch:
        stopped_by(lambda: os.kill(os.getpid(), signal.SIGINT), patch, tmp_path)
    done = seqzoo.resume(tmp_path / "small")
    received = calls(done)
    first, second = (number for number, call in enumerate(received) if call[0] == "open")
    assert received[second][1]["resumed_from"] == 30  # the last line before the stop
    assert received[second][1]["run_id"] == received[first][1]["run_id"]
    assert logged_steps(done) == STEPS
    assert sha256_of(done) == sha256_of(alone)


def test_a_tracker_that_failed_receives_all_that_it_missed_when_the_run_resumes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patch:
        failing = {"trackers": [tracker(where="log_text", how="boom")]}
        patch.setitem(RECIPE, "trackers", failing["trackers"])
        with pytest.warns(seqzoo.SeqzooWarning, match="boom"):
            stopped_by(lambda: os.kill(os.getpid(), signal.SIGINT), patch, tmp_path)
    # The first sample is that of step 25, so the line of step 30 was never passed on.
    (stored,) = json.loads((tmp_path / "small" / "trackers.json").read_text())
    assert stored["step"] == 24
    with pytest.warns(seqzoo.SeqzooWarning, match="boom"):
        done = seqzoo.resume(tmp_path / "small")
    assert logged_steps(done) == [5, 10, 15, 20, 25, 25]


def test_a_tracker_that_is_added_to_a_finished_run_receives_all_of_it(tmp_path: Path) -> None:
    done, _ = run_with(tmp_path)
    again = seqzoo.resume(done.path, {"trackers": [tracker(file="later.jsonl")]})
    assert calls(again, "later.jsonl")[0][1]["resumed_from"] is None
    assert logged_steps(again, "later.jsonl") == STEPS
    assert sampled_steps(calls(again, "later.jsonl")) == [25, 50, 60]
    assert calls(again, "later.jsonl")[-2] == ["finish", sha256_of(done), "finished"]


def test_values_arrive_as_they_were_logged(watched: seqzoo.Run) -> None:
    first = next(call[2] for call in calls(watched) if call[0] == "log")
    assert type(first["bytes"]) is int
    assert math.isfinite(first["bits_per_byte"])
    assert "step" not in first


def test_ctrl_c_ends_the_wait_and_not_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: seqzoo.Run
) -> None:
    def press(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tracking.Trackers, "_wait", press)
    done, warned = run_with(tmp_path, tracker(where="finish", how="block"))
    assert sha256_of(done) == sha256_of(alone)
    (sentence,) = warned
    assert sentence.endswith("it had not finished when the wait for it was ended.")


def test_a_tracker_that_writes_into_the_pipe_is_left_out(tmp_path: Path) -> None:
    done, warned = run_with(tmp_path, tracker(where="log", how="write_everywhere"))
    (sentence,) = warned
    assert "its process wrote into the pipe of the run." in sentence
    assert done.result is not None


@pytest.mark.parametrize("damage", ["", "[", "{}", '[{"name": "received"}]', "\xff"])
def test_where_the_record_is_damaged_everything_is_sent_again(
    damage: str, watched: seqzoo.Run, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(watched.path, tmp_path / "small"))
    (copy / "trackers.json").write_text(damage)
    again = seqzoo.resume(copy, {"description": "other"}, trust=True)
    assert logged_steps(again) == [*STEPS, *STEPS]
    assert json.loads((copy / "trackers.json").read_text())[0]["step"] == 60


def test_a_damaged_log_is_reported_and_does_not_end_the_run(
    watched: seqzoo.Run, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(watched.path, tmp_path / "small"))
    metrics = copy / "metrics.jsonl"
    metrics.write_bytes(b"?" + metrics.read_bytes()[1:])
    with pytest.warns(seqzoo.SeqzooWarning, match="do not receive what was logged earlier: .*:1:"):
        done = seqzoo.resume(copy, {"trackers": [tracker(file="later.jsonl")]}, trust=True)
    assert calls(done, "later.jsonl")[-1] == ["close"]


def test_no_tracker_is_used_where_their_record_cannot_be_written(tmp_path: Path) -> None:
    done, _ = run_with(tmp_path)
    (done.path / "trackers.json").mkdir()
    with pytest.warns(seqzoo.SeqzooWarning, match="no tracker is used: .*trackers.json cannot be"):
        seqzoo.resume(done.path, {"trackers": [tracker()]})
    assert not (done.path / "received.jsonl").exists()
