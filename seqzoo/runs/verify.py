"""Checks a run as it lies on the disk: its recipe, checkpoints, log, result, baselines.

Nothing in the run's folder is changed. `seqzoo/runs/verify_resume.py` proves that training can
stop and continue.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial

from seqzoo.errors import CheckpointError, LockedError, SeqzooError
from seqzoo.runs.changed_recipe import edited_settings, require_as_trained
from seqzoo.runs.changes import read_changes
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.metrics import read_metrics
from seqzoo.runs.origin import read_origin
from seqzoo.runs.own_checkpoints import load_newest, load_step
from seqzoo.runs.run import Run
from seqzoo.runs.verdict import Broken, Skipped, Verdict, verdict_of
from seqzoo.runs.verify_baselines import verify_baselines
from seqzoo.runs.verify_result import verify_result
from seqzoo.training.checkpoint_files import checkpoint_steps
from seqzoo.training.finite import require_finite

__all__ = ["verify"]


def verify(run: Run) -> Iterator[Verdict]:
    """The checks of a run, one after another; a check that is broken does not end the others.

    Raises LockedError if a process uses the run: its files change at this moment.
    """
    if holder := RunDirectory(run.path).holder():
        raise LockedError(f"{run.path} is in use by process {holder}; wait for it or stop it.")
    checks: Mapping[str, Callable[[Run], str]] = {
        "recipe": _recipe,
        "checkpoints": _checkpoints,
        "weights": _weights,
        "metrics": _metrics,
        "result": verify_result,
        "baselines": verify_baselines,
    }
    for name, check in checks.items():
        yield verdict_of(name, partial(check, run))


def _recipe(run: Run) -> str:
    directory = RunDirectory(run.path)
    recipe, newest = run.recipe, load_newest(directory, warn=_ignore)
    require_as_trained(directory, recipe, newest.state)
    if not newest.state.get("recipe"):
        raise Skipped("the run is of an older version, whose checkpoints do not have the recipe.")
    if edited := edited_settings(directory, recipe, newest.state):
        names = ", ".join(f"{each.key} ({each.before_and_after})" for each in edited)
        return f"recipe.yaml was edited since step {newest.step}, where that is allowed: {names}."
    count = len(read_changes(directory))
    recorded = f", and {count} recorded change{'s' if count > 1 else ''}" if count else ""
    return f"recipe.yaml is what step {newest.step} was trained with{recorded}."


def _checkpoints(run: Run) -> str:
    directory = RunDirectory(run.path)
    folder = directory.checkpoints
    steps = checkpoint_steps(folder)
    if not steps:
        raise Broken(f"{folder} has no checkpoint.")
    faults, size = [], 0
    for step in steps:
        try:
            load_step(directory, step)
        except SeqzooError as fault:
            faults.append(str(fault))
        size += sum(path.stat().st_size for path in (folder / f"step-{step}").glob("*"))
    if faults:
        raise Broken(f"{' '.join(faults)} `seqzoo resume` uses the newest one that is whole.")
    return f"every file of step {_listed(steps)} has the recorded sha256 ({size:,} bytes)."


def _weights(run: Run) -> str:
    directory = RunDirectory(run.path)
    # Only parameters: a buffer may be a mask of minus infinity.
    names = {name for name, _ in run.model.named_parameters()}
    steps = []
    for step in checkpoint_steps(directory.checkpoints):
        with suppress(CheckpointError):  # a damaged one is the subject of another check
            stored = load_step(directory, step)
            weights = {name: value for name, value in stored.model.items() if name in names}
            require_finite({**weights, **stored.average}, stored.optimizer, step=step)
            steps.append(step)
    if not steps:
        raise Skipped("no checkpoint can be read.")
    return f"all weights and moments of step {_listed(steps)} are finite."


def _metrics(run: Run) -> str:
    directory = RunDirectory(run.path)
    if read_origin(directory).members:
        raise Skipped("an ensemble has no log of its own; its members have theirs.")
    lines, newest = read_metrics(directory.metrics), load_newest(directory, warn=_ignore)
    logged = [line.step for line in lines]
    missing = sorted(set(_expected_steps(run, last=newest.step)) - set(logged))
    if missing:
        raise Broken(f"metrics.jsonl has no line of step {_listed(missing)}.")
    content = directory.metrics.read_bytes() if lines else b""
    if (size := len(content)) < (length := newest.state["logs"]["metrics"]):
        raise Broken(f"metrics.jsonl has {size:,} bytes; at step {newest.step} it had {length:,}.")
    recorded = newest.state.get("metrics_sha256")
    if recorded and recorded != hashlib.sha256(content[:length]).hexdigest():
        raise Broken(f"metrics.jsonl is not what it was when step {newest.step} was saved.")
    # `read_metrics` joins lines of one step; a run writes one line for each.
    if (count := content.count(b"\n")) != len(lines):
        raise Broken(f"metrics.jsonl has {count:,} lines for {len(lines):,} steps.")
    return f"{len(logged):,} lines up to step {max(logged, default=0):,}, no gaps, no repeats."


def _expected_steps(run: Run, *, last: int) -> Iterator[int]:
    """Steps that must have a line, by the settings that the run had then."""
    recipe, changes = run.recipe, read_changes(RunDirectory(run.path))
    settings: dict[str, int] = {
        "train.log_every_steps": recipe.train.log_every_steps,
        "train.validation.every_steps": recipe.train.validation.every_steps,
    }
    end = last
    for change in reversed(changes):  # from the present settings back to those of the start
        yield from _due_steps(settings.values(), change.step, end)
        end = min(end, change.step)
        settings |= {each.key: each.before for each in change.settings if each.key in settings}
    yield from _due_steps(settings.values(), 0, end)


def _due_steps(every: Iterable[int], after: int, last: int) -> Iterator[int]:
    for number in every:
        if number > 0:
            yield from range(after // number * number + number, last + 1, number)


def _listed(steps: list[int]) -> str:
    shown = ", ".join(f"{step:,}" for step in steps[:5])
    return f"{shown} and {len(steps) - 5} more" if len(steps) > 5 else shown


def _ignore(_: str) -> None:
    """Damaged checkpoints are the subject of another check."""
