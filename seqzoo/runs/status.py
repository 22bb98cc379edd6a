"""What state a run is in, read from its folder: quickly, without torch, whatever is damaged."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from seqzoo.errors import (
    CheckpointError,
    DivergedError,
    NewerFormatError,
    SeqzooError,
    UsageError,
)
from seqzoo.recipes.sections import BudgetSection, SampleSection
from seqzoo.recipes.yaml_reader import load_yaml
from seqzoo.regular_files import open_to_read, parse_json, read_bytes
from seqzoo.results.note import read_note
from seqzoo.results.result import Result, read_result
from seqzoo.runs.changes import Change, affects_samples, affects_scores, read_changes
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.origin import read_origin, recipe_content
from seqzoo.storage import write_whole
from seqzoo.terminal.format import quoted
from seqzoo.training.checkpoint_files import checkpoint_steps, stored_checkpoint

__all__ = [
    "RunState",
    "Status",
    "budget_share",
    "current_result",
    "divergence_recorded",
    "finished_sentence",
    "has_samples",
    "is_complete",
    "newest_state",
    "status_of",
]

Value = TypeVar("Value")


class RunState(StrEnum):
    """What a run is doing, or where it stopped."""

    RUNNING = "running"
    FINISHED = "finished"
    TRAINED = "not scored"
    STOPPED = "stopped"
    DIVERGED = "diverged"
    DAMAGED = "damaged"
    NEWER = "newer"


@dataclass(frozen=True)
class Status:
    """The state of one run.

    reason: the process that uses it, why it diverged, what is damaged, or what a newer seqzoo has
    written; otherwise empty.
    step: of the newest checkpoint, or the last logged one while it runs; None if there is none.
    budget: None if recipe.yaml cannot be read. share: of the budget; None if it is not known.
    result: what result.json says, also where the run was trained further since; None without one.
    changed: when the run last wrote something, in seconds since the epoch. note: of the user.
    is_pruned: whether only its weights are left, so that its training cannot continue.
    """

    directory: RunDirectory
    state: RunState
    reason: str = ""
    step: int | None = None
    budget: BudgetSection | None = None
    share: float | None = None
    result: Result | None = None
    changed: float = 0.0
    note: str = ""
    is_pruned: bool = False

    @property
    def can_resume(self) -> bool:
        """Whether `seqzoo resume` has something to do; a run that diverged would do so again."""
        return self.state in (RunState.STOPPED, RunState.TRAINED)

    @property
    def is_unfinished(self) -> bool:
        """Whether it is not at the end of its budget with scores of that.

        False for what cannot be known: damaged runs, and those of a newer seqzoo.
        """
        return self.state not in (RunState.FINISHED, RunState.DAMAGED, RunState.NEWER)

    @property
    def size_bytes(self) -> int:
        """Of all files in the folder; links are not followed."""
        found = 0
        for folder, _, names in os.walk(self.directory.path):
            for name in names:
                with suppress(OSError):  # a run that is trained now removes files
                    found += os.lstat(os.path.join(folder, name)).st_size
        return found

    @property
    def progress(self) -> str:
        """The step and how many there will be, e.g. "120 of 400", or the share of the budget."""
        if self.step is None:
            return ""
        if self.budget is not None and self.budget.steps is not None:
            return f"{self.step} of {self.budget.steps}"
        return f"{self.step}" if self.share is None else f"{self.step} ({min(self.share, 1):.0%})"


def status_of(directory: RunDirectory, *, result: Result | None = None) -> Status:
    """The state of a run. A damaged one raises nothing: its state says so, with the reason.

    result: what result.json says, where it was read before.
    """
    problems: list[Exception] = []
    budget = _unless_damaged(lambda: _stored_budget(directory), problems)
    origin = _unless_damaged(lambda: read_origin(directory), problems)
    run = origin.id if origin else ""
    newest = _unless_damaged(lambda: _newest(directory.checkpoints, run=run), problems)
    changes = _unless_damaged(lambda: read_changes(directory), problems) or ()
    doubts: list[Exception] = []  # a damaged result is made again by `resume`
    result = result or _unless_damaged(lambda: _stored_result(directory.result), doubts)
    step, spent, is_pruned = newest or (None, None, False)
    share = None if budget is None or spent is None else budget_share(budget, spent)
    state, reason = RunState.STOPPED, ""
    newer = [each for each in (*problems, *doubts) if isinstance(each, NewerFormatError)]
    if holder := directory.holder():
        state, reason = RunState.RUNNING, f"process {holder}"
        if line := _last_line(directory.metrics):
            step, share = line["step"], None if budget is None else _logged_share(budget, line)
    elif newer:
        state, reason = RunState.NEWER, str(newer[0])
    elif problems:
        state, reason = RunState.DAMAGED, str(problems[0])
    elif _is_scored(result, step, changes) and (share is None or share >= 1):
        state = RunState.FINISHED
    elif share is not None and share >= 1:
        state, reason = RunState.TRAINED, "".join(map(str, doubts))
    elif directory.diverged.exists():
        state, reason = RunState.DIVERGED, _first_line(directory.diverged)
    return Status(
        directory,
        state,
        reason,
        step=step,
        budget=budget,
        share=share,
        result=result,
        changed=_changed(directory),
        note=read_note(directory.path),
        is_pruned=is_pruned,
    )


def newest_state(directory: RunDirectory) -> Mapping[str, Any]:
    """state.json of the newest checkpoint that can be used; empty where there is none."""
    try:
        run = read_origin(directory).id
        return _newest(directory.checkpoints, run=run)[1]
    except CheckpointError:
        return {}


def budget_share(budget: BudgetSection, state: Mapping[str, Any]) -> float | None:
    """The share of a budget that is spent at a checkpoint, of which `state` is the state.json.

    None if that is not known: older checkpoints do not record the epochs.
    """
    spent, epochs = state["spent"], state.get("epochs")
    share = budget.share(
        steps=spent["steps"],
        bytes=spent["bytes"],
        seconds=spent["seconds"],
        epochs=0 if epochs is None else epochs,
    )
    is_known = budget.epochs is None or epochs is not None or share >= 1
    return share if is_known else None


def is_complete(status: Status, sample: SampleSection) -> bool:
    """Whether a run is finished, samples included, so that `resume` has nothing to do."""
    result = status.result
    if status.state is not RunState.FINISHED or status.share is None or result is None:
        return False
    return has_samples(status.directory, sample, step=result.step)


def has_samples(directory: RunDirectory, sample: SampleSection, *, step: int) -> bool:
    """Whether the samples of a finished run, of the weights of `step`, are of these settings."""
    try:
        written = (directory.samples / f"step-{step}-{sample.count}.txt").stat().st_mtime
    except OSError:
        return False
    changed = [
        each.at.timestamp() for each in read_changes(directory) if affects_samples(each.settings)
    ]
    return written >= max(changed, default=0.0) - _CLOCK_SECONDS


_CLOCK_SECONDS = 0.01
"""How far the clock of a file system may be behind that of the process."""


def current_result(directory: RunDirectory, *, step: int) -> Result | None:
    """The result of a run trained to `step`, if it need not be scored again."""
    result = _unless_damaged(lambda: _stored_result(directory.result), [])
    return result if _is_scored(result, step, read_changes(directory)) else None


def finished_sentence(status: Status) -> str:
    """What to do with a finished run."""
    assert status.result is not None
    assert status.budget is not None
    score = status.result.scores.get("test")
    scored = f", {score.bits_per_byte:.3f} bits per byte on test" if score else ""
    if members := status.result.members:
        names = ", ".join(each.run for each in members)
        return (
            f"{status.directory.path} is an ensemble of {names}{scored}; an ensemble is not "
            f"trained further."
        )
    finished = f"{status.directory.path} is finished: {status.step} updates{scored}."
    if status.is_pruned:
        return (
            f"{finished} It was pruned, so its training cannot continue; to train a new run from "
            f"its weights: seqzoo run {quoted(status.directory.recipe)} train.start_from="
            f"{quoted(status.directory.path.resolve())}"
        )
    longer = " ".join(
        f"train.budget.{unit}={2 * amount}"
        for unit, amount in status.budget.model_dump(exclude_none=True).items()
    )
    return f"{finished} To train longer: {status.directory.to_continue} {longer}"


@contextmanager
def divergence_recorded(directory: RunDirectory) -> Iterator[None]:
    """Training in this context leaves diverged.txt if it diverges; an old one is removed."""
    directory.diverged.unlink(missing_ok=True)
    try:
        yield
    except DivergedError as error:
        write_whole(directory.diverged, f"{error}\n")
        raise


def _unless_damaged(read: Callable[[], Value], problems: list[Exception]) -> Value | None:
    """What `read` returns; None, with an error added to `problems`, where it cannot be read."""
    try:
        return read()
    except SeqzooError as error:
        problems.append(error)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        problems.append(CheckpointError(f"a file cannot be read ({error})."))
    return None


def _stored_budget(directory: RunDirectory) -> BudgetSection:
    text = recipe_content(directory)
    lines = _BUDGET_LINE.findall(text)
    if len(lines) == 1:  # as seqzoo writes it; a hundred times as fast as all of the recipe
        with suppress(*_NO_BUDGET, SeqzooError):
            return BudgetSection.model_validate(load_yaml(lines[0], str(directory.recipe))[0])
    data, _ = load_yaml(text, str(directory.recipe))
    try:
        return BudgetSection.model_validate(data["train"]["budget"])
    except _NO_BUDGET as error:
        raise UsageError(f"{directory.recipe} has no train.budget that can be used.") from error


_BUDGET_LINE = re.compile(rb"^  budget: (\{[^{}\n]*\})$", re.MULTILINE)
_NO_BUDGET = (KeyError, TypeError, ValueError)


def _newest(folder: Path, *, run: str) -> tuple[int, dict[str, Any], bool]:
    """The step and the state of the newest checkpoint that can be used, and whether it is pruned.

    run: the id of the run.
    """
    failures = []
    for step in reversed(checkpoint_steps(folder)):
        try:
            manifest, state = stored_checkpoint(folder, step, run=run)
        except CheckpointError as error:
            failures.append(error)
        else:
            return step, state, not manifest.is_whole
    raise failures[0] if failures else CheckpointError(f"{folder} has no checkpoint.")


def _stored_result(path: Path) -> Result | None:
    return read_result(path) if path.exists() else None


def _is_scored(result: Result | None, step: int | None, changes: tuple[Change, ...]) -> bool:
    """Whether a result is of all the training, and made after the last change that affects it."""
    return (
        result is not None
        and result.steps == step
        and all(each.at <= result.created for each in changes if affects_scores(each.settings))
    )


def _logged_share(budget: BudgetSection, line: Mapping[str, Any]) -> float:
    return budget.share(
        steps=line["step"], bytes=line.get("bytes", 0), epochs=line.get("epoch", 0), seconds=0
    )


def _last_line(path: Path) -> dict[str, Any] | None:
    """The last whole line of a file of JSON lines, if it has a step."""
    try:
        with open_to_read(path) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
            line = parse_json(file.read().split(b"\n")[-2])
    except (OSError, ValueError, IndexError):
        return None
    return line if isinstance(line, dict) and type(line.get("step")) is int else None


def _changed(directory: RunDirectory) -> float:
    times = []
    for path in (
        directory.path,
        directory.recipe,
        directory.metrics,
        directory.checkpoints,
        directory.result,
    ):
        try:
            times.append(os.lstat(path).st_mtime)
        except OSError:
            continue
    # The folder itself also changes when a note is written.
    return max(times[1:] or times, default=0.0)


_MAX_REASON_BYTES = 100_000


def _first_line(path: Path) -> str:
    try:
        text = read_bytes(path, limit=_MAX_REASON_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    return text.strip().partition("\n")[0]
