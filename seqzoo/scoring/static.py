"""Exact bits per byte of a model whose weights do not change, on a part of a corpus.

The losses printed in training cannot be compared between models; these scores can. Every byte of
the split is scored once, also the first one, whose input is the byte before the split. The state is
carried from the first token to the last. Costs are summed in float64 and divided by the number of
raw bytes of the file, with any tokenizer. A uniform model scores exactly 8.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol as TypingProtocol
from typing import cast

import numpy as np
import torch
from torch import Tensor

from seqzoo.data.tokens import encode_span
from seqzoo.errors import DivergedError, UsageError
from seqzoo.model import state as states
from seqzoo.model.runtime import Runtime, in_inference_mode
from seqzoo.plugin.contracts import SequenceModel, Tokenizer
from seqzoo.plugin.span import Span
from seqzoo.recipes.sections import EvaluateSection
from seqzoo.results.result import ProtocolRecord
from seqzoo.scoring.chunks import Chunk, SplitReader
from seqzoo.scoring.nats import nats_of
from seqzoo.scoring.tally import Tally

__all__ = [
    "ChunkReader",
    "FrozenReader",
    "Protocol",
    "add_costs",
    "one_thread",
    "recipe_protocol",
    "require_finite",
    "require_lanes",
    "score",
    "score_split",
    "score_splits",
    "score_together",
]


@dataclass(frozen=True)
class Protocol:
    """How a split is read: results of different protocols are never ranked together.

    lanes: parts of the split that are read in parallel; with 1 the state is carried through the
    whole split. warmup_tokens: read before each lane but the first to set its state, not scored.
    chunk_length: tokens per forward pass; it changes the speed and not the scores.
    max_bytes: only the first bytes of each split are read; None for all.
    """

    lanes: int = 1
    warmup_tokens: int = 0
    chunk_length: int = 1024
    max_bytes: int | None = None

    def __str__(self) -> str:
        return self.record().words

    def record(self, *, adaptive: bool = False) -> ProtocolRecord:
        """The protocol as results keep it."""
        fields = {
            "adaptive": adaptive,
            "lanes": self.lanes,
            "warmup_tokens": self.warmup_tokens,
            "max_bytes": self.max_bytes,
        }
        return ProtocolRecord(name=ProtocolRecord(name="", **fields).words, **fields)

    def part(self, span: Span) -> Span:
        """The bytes of a split that are read."""
        return span if self.max_bytes is None else span.first(self.max_bytes)

    def reader(self, tokenizer: Tokenizer, split: Span) -> SplitReader:
        """The part of a split that is read, encoded, in these lanes.

        Raises UsageError if it has fewer bytes than there are lanes.
        """
        span = self.part(split)
        require_lanes(len(span), self.lanes)
        return SplitReader(
            encode_span(tokenizer, span), lanes=self.lanes, warmup_tokens=self.warmup_tokens
        )

    def limited_by(self, longest: int) -> Protocol:
        """The same protocol; whole splits where none is longer than what it reads.

        longest: bytes of the longest split.
        """
        is_whole = self.max_bytes is not None and longest <= self.max_bytes
        return replace(self, max_bytes=None) if is_whole else self


def recipe_protocol(section: EvaluateSection) -> Protocol:
    """The protocol of a recipe."""
    return Protocol(
        lanes=section.lanes,
        warmup_tokens=section.warmup_tokens if section.lanes > 1 else 0,
        chunk_length=section.chunk_length,
        max_bytes=section.max_bytes,
    )


class ChunkReader(TypingProtocol):
    """A model and its state while it reads a text chunk by chunk."""

    def read(self, chunk: Chunk) -> Tensor:
        """(lanes, T, V) logits of the next chunk."""

    def fork(self) -> ChunkReader:
        """A second reader that continues from the same position independently."""


class FrozenReader:
    """A model whose weights do not change while it reads; its state is carried."""

    def __init__(self, model: SequenceModel, runtime: Runtime, *, lanes: int) -> None:
        self._model = model
        self._runtime = runtime
        self._state = model.initial_state(lanes)

    def read(self, chunk: Chunk) -> Tensor:
        """(lanes, T, V) logits of the next chunk."""
        inputs = torch.from_numpy(chunk.inputs).to(self._runtime.device)
        with self._runtime.autocast():
            logits, state = self._model(inputs, self._state)
        self._state = states.detach(state)
        return cast(Tensor, logits)

    def fork(self) -> FrozenReader:
        """A second reader with a copy of the state."""
        other = copy.copy(self)
        other._state = states.map_tensors(torch.clone, self._state)
        return other


def score(
    model: SequenceModel,
    tokenizer: Tokenizer,
    span: Span,
    *,
    runtime: Runtime,
    protocol: Protocol,
    advance: Callable[[int], None] | None = None,
) -> Tally:
    """Score every byte of `span` once; the model's mode and all generators are restored afterwards.

    advance: called after each chunk with its number of scored tokens, for progress.
    Raises UsageError if the span has fewer bytes than lanes, DivergedError if a score is not
    finite.
    """
    split = protocol.reader(tokenizer, span)
    return score_split(model, split, runtime=runtime, chunk_length=protocol.chunk_length,
                       advance=advance)  # fmt: skip


def score_split(
    model: SequenceModel,
    split: SplitReader,
    *,
    runtime: Runtime,
    chunk_length: int,
    advance: Callable[[int], None] | None = None,
    tally: Tally | None = None,
) -> Tally:
    """`score` of a split that is already encoded. tally: gets the costs; by default a new one."""

    def each(_: str, tokens: int) -> None:
        if advance is not None:
            advance(tokens)

    return score_splits(
        {"": split},
        model,
        runtime=runtime,
        chunk_length=chunk_length,
        advance=each,
        tallies=None if tally is None else {"": tally},
    )[""]


def score_splits(
    splits: Mapping[str, SplitReader],
    model: SequenceModel,
    *,
    runtime: Runtime,
    chunk_length: int,
    advance: Callable[[str, int], None],
    tallies: Mapping[str, Tally] | None = None,
) -> dict[str, Tally]:
    """`score` of several splits, each from the model's empty state; all have the same lanes.

    advance: called after each chunk with the split and its number of scored tokens.
    tallies: receive the costs instead of new ones.
    """
    (lanes,) = {split.lanes for split in splits.values()}
    threads = one_thread(runtime) if lanes == 1 else contextlib.nullcontext()
    with in_inference_mode(model), threads:
        reader = FrozenReader(model, runtime, lanes=lanes)
        return score_together(
            reader,
            splits,
            chunk_length=chunk_length,
            advance=advance,
            remedy="take an earlier checkpoint, or train with a lower learning rate",
            tallies=tallies,
        )


def score_together(
    reader: ChunkReader,
    splits: Mapping[str, SplitReader],
    *,
    chunk_length: int,
    advance: Callable[[str, int], None],
    remedy: str,
    tallies: Mapping[str, Tally] | None = None,
) -> dict[str, Tally]:
    """Score several splits, each from the state of `reader`; equal beginnings are read once.

    Validation is the beginning of the held-out part, so their first chunks are equal: the model
    reads such a chunk once, and its costs are added to both. Each score is bit-for-bit the same as
    that of the split scored separately. remedy: what to do, for the message of DivergedError.
    """
    if tallies is None:
        tallies = {name: Tally(split.text.data) for name, split in splits.items()}
    chunks = {name: split.chunks(chunk_length) for name, split in splits.items()}
    _score_from(
        reader, chunks, {name: next(chunks[name], None) for name in chunks}, tallies, advance
    )
    for tally in tallies.values():
        require_finite(tally, remedy)
    return dict(tallies)


def _score_from(
    reader: ChunkReader,
    chunks: Mapping[str, Iterator[Chunk]],
    pending: Mapping[str, Chunk | None],
    tallies: Mapping[str, Tally],
    advance: Callable[[str, int], None],
) -> None:
    """Read the pending chunks and all that follow; None: there is no chunk left of that split."""
    left = {name: chunk for name, chunk in pending.items() if chunk is not None}
    while left:
        chunk = next(iter(left.values()))
        different = {
            name: other
            for name, other in left.items()
            if other is not chunk and not other.equals(chunk)
        }
        if different:
            _score_from(reader.fork(), chunks, different, tallies, advance)
        together = [name for name in left if name not in different]
        add_costs([tallies[name] for name in together], reader.read(chunk), chunk)
        for name in together:
            advance(name, int(chunk.scored.sum()))
        following = {name: next(chunks[name], None) for name in together}
        left = {name: chunk for name, chunk in following.items() if chunk is not None}


def add_costs(tallies: list[Tally], logits: Tensor, chunk: Chunk) -> None:
    """Add the costs of a chunk's targets, given its (B, T, V) logits, to each tally."""
    targets = torch.from_numpy(chunk.targets).to(logits.device)
    # Sums are in bits, because sums of 8 bits are exact and sums of 5.545... nats are not.
    bits = nats_of(logits, targets).cpu().numpy() / np.log(2)
    hits = (logits.argmax(-1) == targets).cpu().numpy()
    scored = chunk.scored
    for tally in tallies:
        tally.add(
            bits[scored],
            hits[scored],
            positions=chunk.positions[scored],
            lengths=chunk.lengths[scored],
            distances=chunk.distances[scored],
        )


def require_lanes(num_bytes: int, lanes: int) -> None:
    """Raises UsageError if a split of `num_bytes` has fewer bytes than lanes."""
    if num_bytes < lanes:
        raise UsageError(
            f"a split of {num_bytes} bytes cannot be scored in {lanes} lanes; use a larger corpus "
            f"or fewer lanes."
        )


def require_finite(result: Tally, remedy: str) -> None:
    """Raises DivergedError if a byte has probability 0 or one that is not a number."""
    if not np.isfinite(result.block_bits).all():
        raise DivergedError(
            f"the model gives a byte of the split probability 0 or one that is not a number; "
            f"{remedy}."
        )


@contextlib.contextmanager
def one_thread(runtime: Runtime) -> Iterator[None]:
    """Use one thread on the CPU inside.

    The steps of one lane are too small to divide. With a second thread, they were measured 10 to
    100 times slower as soon as the cores had other work.
    """
    before = torch.get_num_threads()
    if runtime.device.type == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
