"""Scores a model on the splits of its corpus, static or adaptive -> SplitScores."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from seqzoo.data.corpus import Data
from seqzoo.data.tokens import EncodedTraining, encode_span
from seqzoo.model.memory import enough_memory
from seqzoo.model.runtime import Runtime
from seqzoo.plugin.contracts import SequenceModel, Tokenizer
from seqzoo.plugin.specs import SPLITS
from seqzoo.recipes.sections import AdaptiveSection
from seqzoo.results.bootstrap import bootstrap_interval
from seqzoo.results.result import AdaptiveRecord, PartScore, ProtocolRecord, SplitScore
from seqzoo.scoring.adaptive import (
    adaptive_settings,
    gradient_scales,
    method,
    prepare_copy,
    score_adaptively,
)
from seqzoo.scoring.chunks import SplitReader
from seqzoo.scoring.static import Protocol, require_lanes, score_splits
from seqzoo.scoring.tally import Part, Tally
from seqzoo.terminal.display import Display
from seqzoo.terminal.progress import Meter

__all__ = ["adaptive_scores", "static_scores"]


def static_scores(
    model: SequenceModel,
    tokenizer: Tokenizer,
    data: Data,
    *,
    runtime: Runtime,
    protocol: Protocol,
    display: Display,
    splits: tuple[str, ...] = SPLITS,
) -> dict[str, SplitScore]:
    """The scores of each split, each from the model's empty state."""
    readers = _readers(tokenizer, data, splits, protocol)
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
    data: Data,
    *,
    training: Callable[[], EncodedTraining],
    runtime: Runtime,
    section: AdaptiveSection,
    display: Display,
    splits: tuple[str, ...] = SPLITS,
) -> AdaptiveRecord:
    """The adaptive scores of each split, each from the trained weights.

    training: returns the encoded training part; called only if it is needed.
    """
    sizes = {"evaluate.adaptive.segment_length": section.segment_length}
    memory = functools.partial(enough_memory, "adaptive scoring", runtime.device, lambda: sizes)
    scales = None
    if section.learning_rate:
        encoded = training()
        with memory():
            prepared = prepare_copy(model, encoded.tokens)
            scales = gradient_scales(prepared, encoded, runtime=runtime, section=section)
    readers = _readers(tokenizer, data, splits, Protocol())
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
        protocol=ProtocolRecord(name="adaptive, 1 lane", adaptive=True),
        method=method(section, model),
        settings=adaptive_settings(section, model),
        scores={name: _split_score(tally) for name, tally in tallies.items()},
    )


def _readers(
    tokenizer: Tokenizer, data: Data, splits: Iterable[str], protocol: Protocol
) -> dict[str, SplitReader]:
    readers = {}
    for name in splits:
        span = getattr(data.splits, name)
        require_lanes(len(span), protocol.lanes)
        readers[name] = SplitReader(
            encode_span(tokenizer, span), lanes=protocol.lanes, warmup_tokens=protocol.warmup_tokens
        )
    return readers


def _progress(meter: Meter, readers: Mapping[str, SplitReader]) -> Callable[[str, int], None]:
    """A function that shows the share of all splits' tokens that has been scored."""
    total = sum(len(reader.text.tokens) for reader in readers.values())
    done = 0

    def advance(split: str, tokens: int) -> None:
        nonlocal done
        done += tokens
        meter.show(done / total, split)

    return advance


def _split_score(tally: Tally) -> SplitScore:
    return SplitScore(
        bits_per_byte=tally.bits_per_byte,
        nats=float(tally.block_bits.sum() * np.log(2)),
        bytes=tally.num_bytes,
        accuracy=tally.accuracy,
        interval=bootstrap_interval(tally.block_bits, tally.block_bytes),
        blocks=tuple(tally.block_bits.tolist()),
        block_bytes=tally.block_size,
        by_class=_part_scores(tally.by_class()),
        by_distance=_part_scores(tally.by_distance()),
    )


def _part_scores(parts: Iterable[Part]) -> tuple[PartScore, ...]:
    return tuple(PartScore(name=part.name, bits=part.bits, bytes=part.bytes) for part in parts)
