"""Compares the baselines in the result of a run with the same ones, scored again if quick."""

from __future__ import annotations

import math

from seqzoo.results.ladder import Rung
from seqzoo.runs.ladder import FAST_SECONDS
from seqzoo.runs.run import Run
from seqzoo.runs.verdict import Broken, Skipped
from seqzoo.runs.verify_result import stored_result
from seqzoo.terminal.format import quoted

__all__ = ["verify_baselines"]


def verify_baselines(run: Run) -> str:
    """How many are equal. Raises Broken with those that differ, Skipped if none was compared."""
    stored, experiment = stored_result(run), run.trained.experiment
    if not stored.rungs:
        raise Skipped("result.json has no baselines.")
    if stored.protocol.max_bytes != experiment.protocol.max_bytes:
        raise Skipped("evaluate.max_bytes has changed since they were scored.")
    excluded = {each.name for each in stored.left_out}
    names = [name for name in experiment.baselines.names() if name not in excluded]
    ladder = experiment.baselines.ladder(names, max_seconds=FAST_SECONDS)
    scored = {_key(rung): rung for rung in ladder.rungs if not rung.failure}
    faults = [
        f"{rung.name} has {_shown(rung)}, expected {_shown(scored[_key(rung)])}"
        for rung in stored.rungs
        if not rung.failure and _key(rung) in scored and not _is_equal(rung, scored[_key(rung)])
    ]
    kinds = {_key(rung) for rung in stored.rungs}
    names_there = {name for name, _ in kinds}
    faults += [
        f"{name} is {'static' if is_adaptive else 'adaptive'}, expected {_shown(rung)}"
        for (name, is_adaptive), rung in scored.items()
        if name in names_there and (name, is_adaptive) not in kinds
    ]
    if dict(stored.floor) != dict(ladder.floor):
        faults.append(f"floor is {dict(stored.floor)}, expected {dict(ladder.floor)}")
    if faults:
        raise Broken(
            f"result.json has other baselines than those that are scored now: {'; '.join(faults)}; "
            f"to score them again: seqzoo eval {quoted(run.path)}"
        )
    others = [rung.name for rung in stored.rungs if _key(rung) not in scored]
    if not (compared := len(stored.rungs) - len(others)):
        raise Skipped("none of the baselines is installed and quick enough to be scored again.")
    rest = f"; not scored again, as they take longer or are not installed: {', '.join(others)}"
    return f"{compared} are equal to those that are scored now{rest if others else ''}."


def _key(rung: Rung) -> tuple[str, bool]:
    """Static and adaptive rungs can share a name."""
    return rung.name, rung.adaptive


def _is_equal(one: Rung, other: Rung) -> bool:
    return one.context_length == other.context_length and all(
        mine.keys() == theirs.keys()
        and all(math.isclose(mine[split], theirs[split], rel_tol=1e-6) for split in mine)
        for mine, theirs in (
            (one.bits_per_byte, other.bits_per_byte),
            (one.accuracy, other.accuracy),
        )
    )


def _shown(rung: Rung) -> str:
    scores = (f"{split} {bits:.6f}" for split, bits in rung.bits_per_byte.items())
    kind = "adaptive" if rung.adaptive else "static"
    return f"{', '.join(scores)} ({kind})"
