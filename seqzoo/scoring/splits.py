"""Scores a model on the splits of its corpus, frozen or learning -> SplitScores."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from seqzoo.data.corpus import Data
from seqzoo.data.tokens import encode
from seqzoo.errors import UsageError
from seqzoo.model.runtime import Runtime
from seqzoo.plugin.contracts import SequenceModel, Tokenizer
from seqzoo.plugin.specs import SPLITS, Span
from seqzoo.recipes.load import Recipe
from seqzoo.recipes.sections import AdaptiveSection
from seqzoo.results.bootstrap import bootstrap_interval
from seqzoo.results.result import AdaptiveRecord, PartScore, ProtocolRecord, SplitScore
from seqzoo.scoring.adaptive import (
    adaptive_settings,
    gradient_scales,
    method,
    prepared_again,
    score_adaptively,
)
from seqzoo.scoring.static import Protocol, score
from seqzoo.scoring.tally import Part, Tally
from seqzoo.terminal.console import messages
from seqzoo.terminal.progress import Meter, meter

__all__ = ["require_lanes", "score_splits", "score_splits_adaptively"]


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
    splits: tuple[str, ...] = SPLITS,
) -> dict[str, SplitScore]:
    """Each split on its own, from the model's empty state; shows progress on stderr."""

    def scored(span: Span, advance: Callable[[int], None]) -> Tally:
        return score(model, tokenizer, span, runtime=runtime, protocol=protocol, advance=advance)

    return _each_split(scored, data, splits, label="scoring")


def score_splits_adaptively(
    model: SequenceModel,
    tokenizer: Tokenizer,
    data: Data,
    *,
    runtime: Runtime,
    section: AdaptiveSection,
    splits: tuple[str, ...] = SPLITS,
) -> AdaptiveRecord:
    """Each split on its own, from the trained weights; shows progress on stderr."""
    scales = None
    if section.learning_rate:
        training = data.splits.training
        scales = gradient_scales(
            prepared_again(model, encode(tokenizer, training.bytes)),
            tokenizer,
            training,
            runtime=runtime,
            section=section,
        )

    def scored(span: Span, advance: Callable[[int], None]) -> Tally:
        return score_adaptively(
            model,
            tokenizer,
            span,
            runtime=runtime,
            section=section,
            scales=scales,
            advance=advance,
        )

    return AdaptiveRecord(
        protocol=ProtocolRecord(name="adaptive, 1 lane", adaptive=True),
        method=method(section, model),
        settings=adaptive_settings(section, model),
        scores=_each_split(scored, data, splits, label="scoring adaptively"),
    )


def _each_split(
    scored: Callable[[Span, Callable[[int], None]], Tally],
    data: Data,
    splits: Iterable[str],
    *,
    label: str,
) -> dict[str, SplitScore]:
    spans: dict[str, Span] = {name: getattr(data.splits, name) for name in splits}
    total = sum(map(len, spans.values()))
    scores: dict[str, SplitScore] = {}
    done = 0
    with meter(label, messages()) as display:
        for name, span in spans.items():
            scores[name] = _split_score(
                scored(span, _Advance(display, name, done, total, len(span)))
            )
            done += len(span)
    return scores


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


def _split_score(tally: Tally) -> SplitScore:
    return SplitScore(
        bits_per_byte=tally.bits_per_byte,
        nats=float(tally.block_nats.sum()),
        bytes=tally.num_bytes,
        accuracy=tally.accuracy,
        interval=bootstrap_interval(tally.block_nats / np.log(2), tally.block_bytes),
        blocks=tuple((tally.block_nats / np.log(2)).tolist()),
        block_bytes=tally.block_size,
        by_class=_part_scores(tally.by_class()),
        by_distance=_part_scores(tally.by_distance()),
    )


def _part_scores(parts: Iterable[Part]) -> tuple[PartScore, ...]:
    return tuple(
        PartScore(name=part.name, bits=part.nats / np.log(2), bytes=part.bytes) for part in parts
    )
