"""Scores a trained model on its splits and places it on the ladder: -> Result."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np

from seqzoo import checkpoint as checkpoints
from seqzoo.assembly import Data
from seqzoo.baselines import ladder
from seqzoo.bootstrap import bootstrap_interval
from seqzoo.console import messages
from seqzoo.contracts import SequenceModel, Tokenizer
from seqzoo.errors import UsageError
from seqzoo.evaluate import Protocol, Score, score
from seqzoo.progress import Meter, meter
from seqzoo.recipe import Recipe
from seqzoo.results import CorpusRecord, ProtocolRecord, Result, SplitScore
from seqzoo.rundirectory import RunDirectory
from seqzoo.runtime import Runtime
from seqzoo.specs import Span
from seqzoo.train import Effort

__all__ = ["make_result", "recipe_protocol", "require_lanes", "score_splits"]


def recipe_protocol(recipe: Recipe) -> Protocol:
    """How the recipe wants its splits read."""
    section = recipe.evaluate
    return Protocol(
        lanes=section.lanes,
        warmup_tokens=section.warmup_tokens if section.lanes > 1 else 0,
        chunk_length=section.chunk_length,
    )


def require_lanes(recipe: Recipe, data: Data) -> None:
    """Raises UsageError where a split is too short for the recipe's protocol; before training."""
    lanes = recipe.evaluate.lanes
    shortest = min(len(data.splits.validation), len(data.splits.test))
    if lanes > shortest:
        raise UsageError(
            f"evaluate.lanes is {lanes}, and the shortest split has {shortest} bytes; use fewer "
            f"lanes or a larger corpus."
        )


def score_splits(
    model: SequenceModel,
    tokenizer: Tokenizer,
    data: Data,
    *,
    runtime: Runtime,
    protocol: Protocol,
    splits: tuple[str, ...] = ("validation", "test", "held_out"),
) -> dict[str, SplitScore]:
    """Each split on its own, from the model's empty state; shows progress on stderr."""
    spans: dict[str, Span] = {name: getattr(data.splits, name) for name in splits}
    total = sum(map(len, spans.values()))
    scores: dict[str, SplitScore] = {}
    done = 0
    with meter("scoring", messages()) as display:
        for name, span in spans.items():
            advance = _Advance(display, name, done, total, len(span))
            raw = score(model, tokenizer, span, runtime=runtime, protocol=protocol, advance=advance)
            scores[name] = _split_score(raw)
            done += len(span)
    return scores


def make_result(
    directory: RunDirectory,
    recipe: Recipe,
    data: Data,
    tokenizer: Tokenizer,
    model: SequenceModel,
    *,
    runtime: Runtime,
    step: int,
    effort: Effort,
) -> Result:
    """Score the weights of `step` by the recipe's protocol, beside the baselines."""
    protocol = recipe_protocol(recipe)
    scores = score_splits(model, tokenizer, data, runtime=runtime, protocol=protocol)
    with meter("baselines", messages()) as display:
        rungs = ladder(
            recipe.registry,
            data.corpus,
            data.splits,
            corpus_sha256=data.sha256,
            announce=lambda name: display.show(0.0, name),
        )
    record = runtime.record()
    versions: Mapping[str, str] = record["versions"]
    return Result(
        run=directory.path.resolve().name,
        recipe=recipe.name,
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
        rungs=rungs.rungs,
        floor=dict(rungs.floor),
        placement=rungs.place(scores["test"].bits_per_byte, "test").sentence,
        architecture=recipe.architecture.name,
        tokenizer=recipe.tokenizer.name,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        steps=effort.steps,
        step=step,
        weights_sha256=checkpoints.weights_sha256(directory.checkpoints, step),
        training_bytes=effort.bytes,
        training_seconds=effort.seconds,
        peak_memory_bytes=effort.peak_memory_bytes,
        seed=recipe.train.seed,
        versions=dict(versions),
        device=record["device"],
        cpu=record["cpu"],
        threads=record["threads"],
        precision=record["precision"],
    )


class _Advance:
    """Tokens of one split that were scored, as a share of all splits."""

    def __init__(self, display: Meter, name: str, done: int, total: int, size: int) -> None:
        self._display, self._name = display, name
        self._done, self._total, self._left = done, total, size

    def __call__(self, tokens: int) -> None:
        # Tokens stand for bytes here; a tokenizer of longer tokens only makes the bar jump.
        step = min(tokens, self._left)
        self._done, self._left = self._done + step, self._left - step
        self._display.show(min(self._done / self._total, 1.0), self._name)


def _split_score(raw: Score) -> SplitScore:
    return SplitScore(
        bits_per_byte=raw.bits_per_byte,
        nats=float(raw.block_nats.sum()),
        bytes=raw.num_bytes,
        accuracy=raw.accuracy,
        interval=bootstrap_interval(raw.block_nats, raw.block_bytes),
        blocks=tuple((raw.block_nats / np.log(2)).tolist()),
    )
