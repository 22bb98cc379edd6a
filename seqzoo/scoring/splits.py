"""Scores a model on the splits of its corpus, static or adaptive -> SplitScores."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from seqzoo.data.corpus import Splits
from seqzoo.data.tokens import EncodedTraining
from seqzoo.model.memory import enough_memory
from seqzoo.model.runtime import Runtime
from seqzoo.plugin.contracts import SequenceModel, Tokenizer
from seqzoo.plugin.span import Span
from seqzoo.plugin.specs import SPLITS
from seqzoo.recipes.sections import AdaptiveSection
from seqzoo.results.bootstrap import bootstrap_interval
from seqzoo.results.result import AdaptiveRecord, PartScore, SplitScore
from seqzoo.scoring.adaptive import (
    adaptive_settings,
    method,
    score_adaptively,
    usual_gradients,
)
from seqzoo.scoring.chunks import SplitReader
from seqzoo.scoring.static import Protocol, score_splits
from seqzoo.scoring.tally import Part, Tally
from seqzoo.terminal.display import Display
from seqzoo.terminal.progress import Meter

__all__ = ["adaptive_scores", "named_splits", "static_scores"]


def named_splits(splits: Splits, names: Iterable[str] = SPLITS) -> dict[str, Span]:
    """The parts of a corpus by their names; "train" is the training part."""
    return {name: splits.training if name == "train" else getattr(splits, name) for name in names}


def static_scores(
    model: SequenceModel,
    tokenizer: Tokenizer,
    splits: Mapping[str, Span],
    *,
    runtime: Runtime,
    protocol: Protocol,
    display: Display,
) -> dict[str, SplitScore]:
    """The scores of each split, each from the model's empty state."""
    readers = _readers(tokenizer, splits, protocol)
    sizes = {"evaluate.lanes": protocol.lanes, "evaluate.chunk_length": protocol.chunk_length}
    with enough_memory("scoring", runtime.device, lambda: sizes), display.meter("scoring") as meter:
        tallies = score_splits(
            readers,
            model,
            runtime=runtime,
            chunk_length=protocol.chunk_length,
            advance=_progress(meter, readers),
        )
    return {name: _split_score(tally) for name, tally in tallies.items()}


def adaptive_scores(
    model: SequenceModel,
    tokenizer: Tokenizer,
    splits: Mapping[str, Span],
    *,
    training: Callable[[], EncodedTraining],
    runtime: Runtime,
    section: AdaptiveSection,
    display: Display,
    max_bytes: int | None = None,
) -> AdaptiveRecord:
    """The adaptive scores of each split, each from the trained weights.

    training: returns the encoded training part; called only if it is needed. max_bytes: only the
    first bytes of each split are read.
    """
    sizes = {"evaluate.adaptive.segment_length": section.segment_length}
    memory = functools.partial(enough_memory, "adaptive scoring", runtime.device, lambda: sizes)
    with memory():
        scales = usual_gradients(model, training, runtime=runtime, section=section)
    protocol = Protocol(max_bytes=max_bytes)
    readers = _readers(tokenizer, splits, protocol)
    with memory(), display.meter("scoring adaptively") as meter:
        tallies = score_adaptively(
            model,
            readers,
            runtime=runtime,
            section=section,
            scales=scales,
            advance=_progress(meter, readers),
        )
    return AdaptiveRecord(
        protocol=protocol.record(adaptive=True),
        method=method(section, model),
        settings=adaptive_settings(section, model),
        scores={name: _split_score(tally) for name, tally in tallies.items()},
    )


def _readers(
    tokenizer: Tokenizer, splits: Mapping[str, Span], protocol: Protocol
) -> dict[str, SplitReader]:
    return {name: protocol.reader(tokenizer, split) for name, split in splits.items()}


def _progress(meter: Meter, readers: Mapping[str, SplitReader]) -> Callable[[str, int], None]:
    """A function that shows the share of all splits' tokens that has been scored."""
    total = sum(len(reader.text.tokens) for reader in readers.values())
    done = 0

    def advance(split: str, tokens: int) -> None:
        nonlocal done
        done += tokens
        meter.show(done / total, split.replace("_", "-"))

    return advance


def _split_score(tally: Tally) -> SplitScore:
    return SplitScore(
        bits_per_byte=tally.bits_per_byte,
        nats=float(tally.block_bits.sum() * np.log(2)),
        bytes=tally.num_bytes,
        accuracy=tally.accuracy,
        tokens=tally.tokens,
        interval=bootstrap_interval(tally.block_bits, tally.block_bytes),
        blocks=tuple(tally.block_bits.tolist()),
        block_bytes=tally.block_size,
        by_class=_part_scores(tally.by_class()),
        by_distance=_part_scores(tally.by_distance()),
    )


def _part_scores(parts: Iterable[Part]) -> tuple[PartScore, ...]:
    return tuple(PartScore(name=part.name, bits=part.bits, bytes=part.bytes) for part in parts)
