"""Scores a trained model and the baselines -> Result, written to runs/NAME/result.json."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from seqzoo.errors import DivergedError, UsageError
from seqzoo.plugin.specs import SPLITS
from seqzoo.recipes.sections import AdaptiveSection
from seqzoo.results.ladder import Ladder
from seqzoo.results.result import (
    AdaptiveRecord,
    CorpusRecord,
    ProtocolRecord,
    Result,
    SplitScore,
    read_result,
    write_result,
)
from seqzoo.runs.changes import changed_fingerprint, deciding_changes
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.experiment import Experiment
from seqzoo.runs.origin import plugins_of, read_origin
from seqzoo.runs.reopen import Trained
from seqzoo.scoring.baselines import ladder
from seqzoo.scoring.splits import adaptive_scores, static_scores
from seqzoo.scoring.static import recipe_protocol
from seqzoo.training import checkpoint as checkpoints

__all__ = ["score_adaptively", "score_run"]


def score_run(trained: Trained, *, adaptive: AdaptiveSection | None = None) -> Result:
    """Score a run and the baselines by the recipe's protocol, and write result.json.

    adaptive: settings for adaptive scores; by default those of the recipe. If there are none,
    adaptive scores of the same weights that are already in result.json are kept.
    """
    experiment = trained.experiment
    recipe, data = experiment.recipe, experiment.data
    protocol = recipe_protocol(recipe.evaluate)
    scores = static_scores(
        experiment.model,
        experiment.tokenizer,
        data,
        runtime=experiment.runtime,
        protocol=protocol,
        display=experiment.display,
    )
    weights = checkpoints.weights_sha256(trained.directory.checkpoints, trained.step)
    rungs = _ladder(experiment)
    record = trained.record
    origin = read_origin(trained.directory)
    changes = deciding_changes(trained.directory)
    result = Result(
        run=trained.directory.path.resolve().name,
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
        protocol=ProtocolRecord(
            name=str(protocol), lanes=protocol.lanes, warmup_tokens=protocol.warmup_tokens
        ),
        scores=scores,
        adaptive=_stored_adaptive(trained.directory, weights, scores),
        rungs=rungs.rungs,
        floor=dict(rungs.floor),
        placement=rungs.sentence(
            scores["test"].bits_per_byte, "test", num_bytes=scores["test"].bytes
        ),
        started_from=origin.started_from,
        changes=changes,
        plugins=dict(origin.plugins) or plugins_of(recipe),
        architecture=recipe.architecture.name,
        tokenizer=recipe.tokenizer.name,
        parameters=sum(parameter.numel() for parameter in experiment.model.parameters()),
        steps=trained.effort.steps,
        step=trained.step,
        weights_sha256=weights,
        training_bytes=trained.effort.bytes,
        training_seconds=trained.effort.seconds,
        peak_memory_bytes=trained.effort.peak_memory_bytes,
        seed=recipe.train.seed,
        **{key: record[key] for key in ("versions", "device", "cpu", "threads", "precision")},
    )
    section = adaptive or recipe.evaluate.adaptive
    if section is not None:
        try:
            adaptive_record = score_adaptively(experiment, section)
        except DivergedError:
            write_result(trained.directory.result, result)  # keeps the static scores
            raise
        result = result.model_copy(update={"adaptive": adaptive_record})
    write_result(trained.directory.result, result)
    return result


def score_adaptively(
    experiment: Experiment, section: AdaptiveSection, *, splits: tuple[str, ...] = SPLITS
) -> AdaptiveRecord:
    """The adaptive scores of each split, each from the trained weights, by a copy of the model."""
    return adaptive_scores(
        experiment.model,
        experiment.tokenizer,
        experiment.data,
        training=lambda: experiment.training,
        runtime=experiment.runtime,
        section=section,
        display=experiment.display,
        splits=splits,
    )


def _ladder(experiment: Experiment) -> Ladder:
    """The baselines on the same splits; baselines that failed are reported with the cause."""
    data, display = experiment.data, experiment.display
    with display.meter("baselines") as meter:
        found = ladder(
            experiment.registry,
            data.corpus,
            data.splits,
            corpus_sha256=data.sha256,
            announce=lambda name: meter.show(0.0, name),
        )
    failed = [rung for rung in found.rungs if rung.failure]
    if failed:
        names = ", ".join(sorted(rung.name for rung in failed))
        is_optional = all(rung.failure.startswith("ImportError") for rung in failed)
        report = display.note if is_optional else display.warn
        report(f"baselines without a score: {names} ({failed[0].failure.rstrip('.')})")
    return found


def _stored_adaptive(
    directory: RunDirectory, weights_sha256: str, scores: Mapping[str, SplitScore]
) -> AdaptiveRecord | None:
    """The adaptive scores in the run's result.json, if they are of the same weights and blocks."""
    if not directory.result.exists():
        return None
    try:
        stored = read_result(directory.result)
    except UsageError:  # damaged; it will be replaced
        return None
    if stored.adaptive is None or stored.weights_sha256 != weights_sha256:
        return None
    has_same_blocks = all(
        split in scores and scores[split].block_sizes == score.block_sizes
        for split, score in stored.adaptive.scores.items()
    )
    return stored.adaptive if has_same_blocks else None
