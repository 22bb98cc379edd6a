"""Compares the result of a run with a fresh evaluation of its weights."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from seqzoo.recipes.sections import AdaptiveSection
from seqzoo.results.result import AdaptiveSettings, Result, SplitScore, read_result
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.run import Run
from seqzoo.runs.verdict import Broken, Skipped
from seqzoo.scoring.splits import adaptive_scores, named_splits, static_scores
from seqzoo.scoring.static import Protocol
from seqzoo.terminal.format import quoted
from seqzoo.training import checkpoint as checkpoints

__all__ = ["verify_result"]

_TOLERANCE = 1e-6
"""Relative: another processor or number of threads adds the same numbers in another order."""


def verify_result(run: Run) -> str:
    """What is equal. Raises Broken with what differs, Skipped if the run has no result."""
    directory = RunDirectory(run.path)
    path = directory.result
    if not path.exists():
        raise Skipped(f"the run is not scored; score it with: seqzoo resume {quoted(run.path)}")
    result, trained = read_result(path), run.trained
    experiment = trained.experiment
    weights = checkpoints.weights_sha256(directory.checkpoints, trained.step)
    for what, stored, found in (
        ("sha256 of the weights", result.weights_sha256, weights),
        ("step", result.step, trained.step),
        ("number of updates", result.steps, trained.effort.steps),
        ("sha256 of the corpus", result.corpus.sha256, experiment.data.sha256),
        ("split", result.split, experiment.data.splits.identity),
        ("seed", result.seed, experiment.recipe.train.seed),
        ("architecture", result.architecture, experiment.recipe.architecture.name),
    ):
        if stored != found:
            raise Broken(f"result.json has the {what} {stored}, and the run has {found}.")
    differing = list(_differing(result, run))
    if differing:
        again = f"to score it again: seqzoo eval {quoted(run.path)}"
        raise Broken(f"{'; '.join(differing)}; {again}")
    kinds = "static and adaptive scores" if result.adaptive is not None else "scores"
    names = ", ".join(result.scores)
    return f"the {kinds} of {names} are equal to those of a fresh evaluation."


def _differing(result: Result, run: Run) -> Iterator[str]:
    experiment = run.trained.experiment
    record = result.protocol
    protocol = Protocol(
        lanes=record.lanes,
        warmup_tokens=record.warmup_tokens,
        chunk_length=experiment.recipe.evaluate.chunk_length,
        max_bytes=record.max_bytes,
    )
    splits = named_splits(experiment.data.splits, result.scores)
    runtime, display = experiment.runtime, experiment.display
    fresh = static_scores(
        experiment.model,
        experiment.tokenizer,
        splits,
        runtime=runtime,
        protocol=protocol,
        display=display,
    )
    yield from _differences(result.scores, fresh, "")
    if result.adaptive is None or result.adaptive.settings is None:
        return
    again = adaptive_scores(
        experiment.model,
        experiment.tokenizer,
        named_splits(experiment.data.splits, result.adaptive.scores),
        training=lambda: experiment.training,
        runtime=runtime,
        section=_section(result.adaptive.settings),
        display=display,
        max_bytes=result.adaptive.protocol.max_bytes,
    )
    yield from _differences(result.adaptive.scores, again.scores, "adaptive ")


def _section(settings: AdaptiveSettings) -> AdaptiveSection:
    """The settings that adaptive scores were made with; the rest are not used by their method."""
    given = settings.model_dump(exclude={"method"}, exclude_none=True)
    return AdaptiveSection(**({"learning_rate": 0.0} | given))


def _differences(
    stored: Mapping[str, SplitScore], fresh: Mapping[str, SplitScore], kind: str
) -> Iterator[str]:
    for name, score in stored.items():
        found = fresh[name]
        is_equal = math.isclose(score.bits_per_byte, found.bits_per_byte, rel_tol=_TOLERANCE)
        if score.bytes != found.bytes or not is_equal:
            yield (
                f"result.json has {kind}{score.bits_per_byte:.9f} bits per byte for {name} "
                f"({score.bytes:,} bytes), and a fresh evaluation has {found.bits_per_byte:.9f} "
                f"({found.bytes:,} bytes)"
            )
