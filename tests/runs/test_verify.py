"""`verify` says that a whole run is whole, and names every promise that is broken."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from commands import SMALL

import seqzoo
import seqzoo.runs.verify_result as verify_result_module
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.run import Run
from seqzoo.runs.verdict import Outcome, verdict_of
from seqzoo.runs.verify import verify
from seqzoo.runs.verify_baselines import verify_baselines
from seqzoo.runs.verify_result import verify_result
from seqzoo.runs.verify_resume import verify_resume
from seqzoo.training import checkpoint as checkpoints
from seqzoo.training.updates import Training

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

RECIPE: Mapping[str, Any] = yaml.safe_load(SMALL)
SHORT: Mapping[str, Any] = {
    "train.budget.steps": 12,
    "train.checkpoint.every_steps": 4,
    "train.validation.every_steps": 4,
    "train.log_every_steps": 3,
    "baselines.include": ["ngrams", "gzip"],
    "evaluate.adaptive": {},
    "evaluate.max_bytes": 500,
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return seqzoo.run(RECIPE, SHORT, root=tmp_path_factory.mktemp("runs")).path


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "small"))


def outcomes(run: Path) -> dict[str, Outcome]:
    return {each.check: each.outcome for each in verify(seqzoo.open_run(run))}


def broken(run: Path) -> set[str]:
    return {check for check, outcome in outcomes(run).items() if outcome is Outcome.BROKEN}


def test_a_whole_run_keeps_every_promise_and_is_not_changed(run: Path) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert set(outcomes(run).values()) == {Outcome.HOLDS}
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_run_that_was_trained_longer_and_logs_at_other_steps_is_whole(run: Path) -> None:
    seqzoo.resume(run, {"train.budget.steps": 20, "train.log_every_steps": 5})
    assert set(outcomes(run).values()) == {Outcome.HOLDS}


def edit_result(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def edit(run: Path) -> None:
        path = run / "result.json"
        result = json.loads(path.read_text())
        change(result)
        path.write_text(json.dumps(result))

    return edit


def better(scores: str) -> Callable[[dict[str, Any]], None]:
    def change(result: dict[str, Any]) -> None:
        part = result["scores"] if scores == "scores" else result["adaptive"]["scores"]
        part["test"]["bits_per_byte"] *= 0.999

    return change


def without_line(run: Path) -> None:
    path = run / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:2] + lines[3:]) + " " * 500 + "\n")


def with_repeated_line(run: Path) -> None:
    path = run / "metrics.jsonl"
    path.write_text(path.read_text() * 2)


def edit(path: Path, before: str, after: str) -> None:
    path.write_text(path.read_text().replace(before, after, 1))


def flip(run: Path) -> None:
    path = run / "checkpoints" / "step-12" / "carried.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 4
    path.write_bytes(content)


def edit_recipe(run: Path) -> None:
    path = run / "recipe.yaml"
    path.write_text(path.read_text().replace("clip_norm: 1.0", "clip_norm: 2.0"))


BREAKS: dict[str, tuple[Callable[[Path], None], str]] = {
    "a recipe that was edited": (edit_recipe, "recipe"),
    "a flipped bit": (flip, "checkpoints"),
    "a missing line": (without_line, "metrics"),
    "a repeated line": (with_repeated_line, "metrics"),
    "another number in the log": (
        lambda run: edit(run / "metrics.jsonl", '"gradient_norm": ', '"gradient_norm": 1'),
        "metrics",
    ),
    "a better score": (edit_result(better("scores")), "result"),
    "a better adaptive score": (edit_result(better("adaptive")), "result"),
    "another seed": (edit_result(lambda result: result.update(seed=5)), "result"),
    "another weight": (
        edit_result(lambda result: result.update(weights_sha256="0" * 64)),
        "result",
    ),
}


@pytest.mark.parametrize("what", BREAKS)
def test_every_broken_promise_is_named(run: Path, what: str) -> None:
    damage, check = BREAKS[what]
    damage(run)
    assert check in broken(run)


FREE = {
    "format_version",  # another one is another kind of file
    "created", "run", "corpus.origin",  # of a copy of a run in another place
    "rungs.*.seconds", "rungs.*.title", "rungs.*.meaning", "rungs.*.package",
    "rungs.*.name", "rungs.*.failure",  # it is then said that this one was not scored again
    "left_out.*.name", "left_out.*.expected_seconds",
}  # fmt: skip
"""What nothing in the run's folder decides."""


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """One value of each kind in nested data: its name, what holds it, and its key there."""
    items = value.items() if isinstance(value, dict) else enumerate(value[-1:], len(value) - 1)
    for key, inner in items:
        where = f"{name}.{key}".lstrip(".") if isinstance(value, dict) else f"{name}.*"
        if isinstance(inner, dict | list):
            yield from leaves(inner, where)
        else:
            yield where, value, key


def altered(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value * 1.001 + 0.003 if isinstance(value, float) else value + 1
    return "x" if value is None else f"{value}x"


def once(score: Callable[..., Any]) -> Callable[..., Any]:
    """Scores each protocol once: the model and the text are the same."""
    found: dict[str, Any] = {}

    def scored(model: Any, tokenizer: Any, splits: Any, **options: Any) -> Any:
        deciding = {key: options.get(key) for key in ("protocol", "section", "max_bytes")}
        key = f"{sorted(splits)} {deciding}"
        if key not in found:
            found[key] = score(model, tokenizer, splits, **options)
        return found[key]

    return scored


def test_no_value_of_the_result_can_be_altered_unnoticed(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = seqzoo.open_run(run)
    for name in ("static_scores", "adaptive_scores"):
        monkeypatch.setattr(verify_result_module, name, once(getattr(verify_result_module, name)))
    path = run / "result.json"
    whole = path.read_text()
    names = [name for name, _, _ in leaves(json.loads(whole))]
    assert len(names) > 60
    unnoticed = []
    for name in names:
        result = json.loads(whole)
        holder, key = next((holder, key) for at, holder, key in leaves(result) if at == name)
        holder[key] = altered(holder[key])
        path.write_text(json.dumps(result))
        found = [verdict_of("result", lambda: verify_result(opened))]
        found.append(verdict_of("baselines", lambda: verify_baselines(opened)))
        if not any(each.outcome is Outcome.BROKEN for each in found):
            unnoticed.append(name)
    assert set(unnoticed) <= FREE


def test_weights_that_are_not_finite_are_named(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = checkpoints.load

    def spoiled(*arguments: Any, **options: Any) -> checkpoints.Checkpoint:
        found = load(*arguments, **options)
        next(iter(found.optimizer.values())).view(-1)[0] = torch.inf
        return found

    monkeypatch.setattr(checkpoints, "load", spoiled)
    assert broken(run) == {"weights"}


def test_an_edit_that_is_allowed_is_named(run: Path) -> None:
    edit(run / "recipe.yaml", "max_bytes: 500\n", "max_bytes: 400\n")
    first = next(iter(verify(seqzoo.open_run(run))))
    assert first.outcome is Outcome.HOLDS
    assert "edited since step 12, where that is allowed: evaluate.max_bytes (500 to 400)" in (
        first.detail
    )


def test_a_run_whose_plugin_files_are_not_trusted_is_not_called_broken(
    run: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text("")
    edit(run / "recipe.yaml", "plugins: []", f"plugins: ['{tmp_path / 'mine.py'}']")
    with pytest.raises(seqzoo.UsageError, match=r"mine\.py"):
        outcomes(run)


def test_a_run_that_is_in_use_is_not_judged(run: Path) -> None:
    with RunDirectory(run).locked(), pytest.raises(seqzoo.SeqzooError, match="in use by process"):
        outcomes(run)


def test_a_run_without_result_is_not_broken(run: Path) -> None:
    (run / "result.json").unlink()
    assert outcomes(run)["result"] is Outcome.SKIPPED
    assert broken(run) == set()


def resumed(run: Run) -> tuple[Outcome, str]:
    verdict = verdict_of("resume", lambda: verify_resume(run, before=3, after=4))
    return verdict.outcome, verdict.detail


def test_a_stop_changes_no_bit(finished: Path) -> None:
    outcome, detail = resumed(seqzoo.open_run(finished))
    assert (outcome, detail[:10]) == (Outcome.HOLDS, "7 updates,")


def forget_generators(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("seqzoo.training.updates.restore_random_state", lambda _: torch.manual_seed(9))


def forget_state(patch: pytest.MonkeyPatch) -> None:
    restore = Training.restore

    def restored(self: Training, stored: checkpoints.Checkpoint) -> None:
        restore(self, stored)
        self.carried = None

    patch.setattr(Training, "restore", restored)


def forget_moments(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("seqzoo.training.optimizers.Optimizer.restore", lambda *_: None)


@pytest.mark.parametrize("forget", [forget_generators, forget_state, forget_moments])
def test_what_a_resume_forgets_is_noticed(
    finished: Path, monkeypatch: pytest.MonkeyPatch, forget: Callable[[pytest.MonkeyPatch], None]
) -> None:
    run = seqzoo.open_run(finished)
    assert run.step == 12  # loaded before anything is forgotten
    forget(monkeypatch)
    outcome, detail = resumed(run)
    assert outcome is Outcome.BROKEN
    assert "differ from 3, a stop and 4 more in: the loss of update" in detail


def test_randomness_without_a_seed_is_told_from_a_stop(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = Training.update

    def shaken(self: Training) -> Any:
        torch.seed()
        return update(self)

    monkeypatch.setattr(Training, "update", shaken)
    outcome, detail = resumed(seqzoo.open_run(finished))
    assert outcome is Outcome.BROKEN
    assert "before any stop" in detail
