"""Scores a trained model and the baselines -> Result, written to runs/NAME/result.json."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime

from seqzoo.errors import DivergedError, UsageError
from seqzoo.plugin.span import Span
from seqzoo.recipes.sections import AdaptiveSection, BaselinesSection
from seqzoo.results.ladder import Ladder
from seqzoo.results.result import (
    AdaptiveRecord,
    CorpusRecord,
    Result,
    SplitScore,
    read_result,
    require_replaceable,
    write_result,
)
from seqzoo.runs.changes import changed_fingerprint, deciding_changes
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.experiment import Experiment
from seqzoo.runs.ladder import final_ladder
from seqzoo.runs.origin import plugins_of, read_origin
from seqzoo.runs.reopen import Trained
from seqzoo.runs.samples import write_samples
from seqzoo.runs.scoring_cost import announce_cost
from seqzoo.runs.status import has_samples
from seqzoo.scoring.splits import adaptive_scores, named_splits, static_scores
from seqzoo.scoring.static import Protocol
from seqzoo.terminal.format import quoted
from seqzoo.training import checkpoint as checkpoints
from seqzoo.training.checkpoint_files import recorded_processes

__all__ = ["finish_run", "result_of", "score_adaptively", "score_run"]


def finish_run(
    trained: Trained,
    *,
    adaptive: AdaptiveSection | None = None,
    baselines: BaselinesSection | None = None,
) -> Result:
    """Score a run, and write its samples if it has none of these weights and settings."""
    result = score_run(trained, adaptive=adaptive, baselines=baselines)
    sample = trained.experiment.recipe.sample
    if not has_samples(trained.directory, sample, step=trained.step):
        write_samples(trained.experiment, trained.directory, step=trained.step)
    return result


def score_run(
    trained: Trained,
    *,
    adaptive: AdaptiveSection | None = None,
    baselines: BaselinesSection | None = None,
) -> Result:
    """Score a run and the baselines by the recipe's protocol, and write result.json.

    adaptive: settings for adaptive scores; by default those of the recipe. If there are none,
    adaptive scores of the same weights that are already in result.json are kept.
    baselines: which are scored; by default those of the recipe. Raises NewerFormatError if there is
    a result of a newer seqzoo.
    """
    # What cannot be used is reported before minutes of scoring.
    require_replaceable(trained.directory.result)
    read_origin(trained.directory)
    deciding_changes(trained.directory)
    experiment = trained.experiment
    recipe, data, protocol = experiment.recipe, experiment.data, experiment.protocol
    section = adaptive or recipe.evaluate.adaptive
    path = quoted(trained.directory.path)
    data.require_unchanged(again=trained.directory.to_continue)
    announce_cost(
        experiment,
        adaptive=section,
        remedy=f"to score less: seqzoo resume {path} evaluate.max_bytes=N",
    )
    scores = static_scores(
        experiment.model,
        experiment.tokenizer,
        named_splits(data.splits),
        runtime=experiment.runtime,
        protocol=protocol,
        display=experiment.display,
    )
    ladder = final_ladder(
        experiment,
        baselines or recipe.baselines,
        training_seconds=trained.effort.seconds,
        path=trained.directory.path,
    )
    result = result_of(trained, scores=scores, protocol=protocol, ladder=ladder)
    stored = _stored(trained.directory, result.weights_sha256)
    if stored is not None:
        kept = {
            "scores": _with_proofs(scores, stored.scores),
            "adaptive": _stored_adaptive(stored, scores, protocol),
        }
        result = result.model_copy(update=kept)
    if section is not None:
        try:
            adaptive_record = score_adaptively(experiment, section)
        except DivergedError:
            _write(trained, result)  # keeps the static scores
            raise
        if stored is not None and stored.adaptive is not None:
            learnt = _with_proofs(adaptive_record.scores, stored.adaptive.scores)
            adaptive_record = adaptive_record.model_copy(update={"scores": learnt})
        result = result.model_copy(update={"adaptive": adaptive_record})
    _write(trained, result)
    return result


def result_of(
    trained: Trained, *, scores: Mapping[str, SplitScore], protocol: Protocol, ladder: Ladder
) -> Result:
    """What result.json says of a run with these scores and baselines, without adaptive scores."""
    directory, experiment, record = trained.directory, trained.experiment, trained.record
    recipe, data, test = experiment.recipe, experiment.data, scores["test"]
    origin, changes = read_origin(directory), deciding_changes(directory)
    return Result(
        run=directory.path.resolve().name,
        recipe=recipe.name,
        fingerprint=changed_fingerprint(recipe.fingerprint, changes),
        created=datetime.now(UTC),
        corpus=CorpusRecord(
            name=data.corpus.name,
            sha256=data.sha256,
            bytes=len(data.corpus.data),
            origin=data.corpus.origin,
        ),
        split=data.splits.identity,
        protocol=protocol.record(),
        scores=dict(scores),
        rungs=ladder.rungs,
        left_out=ladder.left_out,
        floor=dict(ladder.floor),
        placement=ladder.sentence(test.bits_per_byte, "test", num_bytes=test.bytes),
        started_from=origin.started_from,
        members=origin.members,
        changes=changes,
        plugins=dict(origin.plugins) or plugins_of(recipe),
        architecture=recipe.architecture.name,
        tokenizer=recipe.tokenizer.name,
        parameters=sum(parameter.numel() for parameter in experiment.model.parameters()),
        steps=trained.effort.steps,
        step=trained.step,
        averaged=trained.averaged,
        weights_sha256=checkpoints.weights_sha256(directory.checkpoints, trained.step),
        training_bytes=trained.effort.bytes,
        training_seconds=trained.effort.seconds,
        peak_memory_bytes=trained.effort.peak_memory_bytes,
        seed=recipe.train.seed,
        ranks=recorded_processes(record),
        accelerator=record.get("accelerator", ""),
        **{key: record[key] for key in ("versions", "device", "cpu", "threads", "precision")},
    )


def _write(trained: Trained, result: Result) -> None:
    """Raises EnvironmentFault if the scores may be of other bytes than the hash says."""
    trained.experiment.data.require_unchanged(again=trained.directory.to_continue)
    write_result(trained.directory.result, result)


def score_adaptively(
    experiment: Experiment,
    section: AdaptiveSection,
    *,
    splits: Mapping[str, Span] | None = None,
    protocol: Protocol | None = None,
) -> AdaptiveRecord:
    """The adaptive scores of each split, each from the trained weights, by a copy of the model.

    splits: validation, test and held_out by default. protocol: says how many bytes of each are
    read, in one lane; by default the recipe's.
    """
    return adaptive_scores(
        experiment.model,
        experiment.tokenizer,
        named_splits(experiment.data.splits) if splits is None else splits,
        training=lambda: experiment.training,
        runtime=experiment.runtime,
        section=section,
        display=experiment.display,
        max_bytes=(protocol or experiment.protocol).max_bytes,
    )


def _stored(directory: RunDirectory, weights_sha256: str) -> Result | None:
    """The run's result.json, if it is of the same weights."""
    if not directory.result.exists():
        return None
    try:
        stored = read_result(directory.result)
    except UsageError:  # damaged; it will be replaced
        return None
    return stored if stored.weights_sha256 == weights_sha256 else None


def _with_proofs(
    scores: Mapping[str, SplitScore], stored: Mapping[str, SplitScore]
) -> dict[str, SplitScore]:
    """The scores with the proofs of stored ones, where those are the same but for rounding."""
    found = dict(scores)
    for name, score in scores.items():
        before = stored.get(name)
        if before is None or score.block_sizes != before.block_sizes:
            continue
        if math.isclose(score.bits, before.bits, rel_tol=1e-6):
            found[name] = score.model_copy(update={"proven_bytes": before.proven_bytes})
    return found


def _stored_adaptive(
    stored: Result, scores: Mapping[str, SplitScore], protocol: Protocol
) -> AdaptiveRecord | None:
    """The adaptive scores of a result of the same weights, if they are of the same bytes."""
    if stored.adaptive is None:
        return None
    has_same_blocks = all(
        split in scores and scores[split].block_sizes == score.block_sizes
        for split, score in stored.adaptive.scores.items()
    )
    has_same_limit = stored.adaptive.protocol.max_bytes == protocol.max_bytes
    return stored.adaptive if has_same_blocks and has_same_limit else None
