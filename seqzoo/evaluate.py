"""Exact bits per byte of a model on a stretch of a corpus.

What a loss printed in training cannot be: comparable. Every byte of the split is scored once, the
first one too (the byte before the split is its input); the state is carried from the first token
to the last; nats are summed in float64 and divided by the raw bytes of the file, whatever the
tokenizer made of them. A uniform model scores exactly 8.000.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from seqzoo import state as states
from seqzoo.contracts import SequenceModel, Tokenizer
from seqzoo.errors import DivergedError, UsageError
from seqzoo.runtime import Runtime, untouched
from seqzoo.specs import Span
from seqzoo.streams import encode

__all__ = ["BLOCK_BYTES", "Protocol", "Score", "score"]

BLOCK_BYTES = 1000
"""Scores are kept in blocks of this many bytes, which the confidence interval resamples."""


@dataclass(frozen=True)
class Protocol:
    """How a split is read: results of different protocols are never ranked together.

    lanes: how many stretches of the split are read side by side; 1 carries the state through all.
    warmup_tokens: tokens before each further lane that set its state and are not scored.
    chunk_length: tokens per forward pass; changes speed, not scores.
    """

    lanes: int = 1
    warmup_tokens: int = 0
    chunk_length: int = 1024

    def __str__(self) -> str:
        if self.lanes == 1:
            return "static, 1 lane"
        return f"static, {self.lanes} lanes, {self.warmup_tokens} tokens of warm-up"


@dataclass
class Score:
    """Summed over a split: nats, tokens, right guesses, and both nats and bytes by block."""

    block_nats: npt.NDArray[np.float64]
    block_bytes: npt.NDArray[np.int64]
    tokens: int = 0
    correct: int = 0

    @property
    def num_bytes(self) -> int:
        """Raw bytes of the split."""
        return int(self.block_bytes.sum())

    @property
    def bits_per_byte(self) -> float:
        """Cross-entropy, comparable across tokenizers."""
        return math.fsum(self.block_nats) / math.log(2) / self.num_bytes

    @property
    def accuracy(self) -> float:
        """Share of tokens whose most probable prediction was right."""
        return self.correct / self.tokens


def score(
    model: SequenceModel,
    tokenizer: Tokenizer,
    span: Span,
    *,
    runtime: Runtime,
    protocol: Protocol,
    advance: Callable[[int], None] | None = None,
) -> Score:
    """Score every byte of `span` once; leaves the model's mode and all generators untouched.

    advance: called with the number of tokens scored after each chunk, for progress.
    Raises UsageError where the span is shorter than its lanes, DivergedError where a score is not
    finite.
    """
    if len(span) < protocol.lanes:
        raise UsageError(
            f"a split of {len(span)} bytes cannot be scored in {protocol.lanes} lanes; use a "
            f"larger corpus or fewer lanes."
        )
    targets = encode(tokenizer, span.bytes)
    lengths = tokenizer.byte_lengths(targets)
    reading = _Reading(targets, lengths, _first_input(tokenizer, span), protocol)
    result = Score(
        np.zeros(-(-len(span) // BLOCK_BYTES)), _block_sizes(len(span)), tokens=len(targets)
    )
    with untouched(model), _threads(protocol, runtime):
        state = model.initial_state(protocol.lanes)
        for begin in range(0, reading.steps, protocol.chunk_length):
            chunk = reading.chunk(begin, min(begin + protocol.chunk_length, reading.steps))
            inputs = torch.from_numpy(chunk.inputs).to(runtime.device)
            expected = torch.from_numpy(chunk.targets).to(runtime.device)
            with runtime.autocast():
                logits, state = model(inputs, state)
            state = states.detach(state)
            # In float64: a float32 log-softmax is off by 1e-7 nats, and 8.000 would be 8.00000002.
            if runtime.device.type == "mps":  # which knows no float64
                logits, expected = logits.cpu(), expected.cpu()
            logits = logits.double()
            nats = logits.logsumexp(-1) - logits.gather(-1, expected[..., None]).squeeze(-1)
            hits = (logits.argmax(-1) == expected).cpu().numpy() & chunk.scored
            nats_scored = nats.cpu().numpy()[chunk.scored]
            np.add.at(result.block_nats, chunk.blocks[chunk.scored], nats_scored)
            result.correct += int(hits.sum())
            if advance is not None:
                advance(int(chunk.scored.sum()))
    if not np.isfinite(result.block_nats).all():
        raise DivergedError(
            "the model gives a byte of the split no probability, or none that is a number; take "
            "an earlier checkpoint, or train with a lower learning rate."
        )
    return result


@contextlib.contextmanager
def _threads(protocol: Protocol, runtime: Runtime) -> Iterator[None]:
    """One thread for one lane: its steps are too small to share, and waiting for a second thread
    at every step was measured 10 to 100 times slower as soon as the cores had other work.
    """
    if protocol.lanes > 1 or runtime.device.type != "cpu":
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class _Chunk:
    """All (lanes, T): what goes in, what should come out, whether it counts, and its block."""

    inputs: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]
    scored: npt.NDArray[np.bool_]
    blocks: npt.NDArray[np.int64]


class _Reading:
    """The order in which a protocol reads a split: lane i scores targets [bounds[i], bounds[i+1]).

    It starts `warmup_tokens` earlier, where there is an earlier; lanes that end first are padded.
    """

    def __init__(
        self,
        targets: npt.NDArray[Any],
        lengths: npt.NDArray[np.int64],
        first_input: int,
        protocol: Protocol,
    ) -> None:
        self.targets = targets
        self.lengths = lengths
        self.first_input = first_input
        self.last_byte = int(lengths.sum()) - 1
        bounds = np.arange(protocol.lanes + 1) * len(targets) // protocol.lanes
        self.begins = bounds[:-1, None]
        self.ends = bounds[1:, None]
        warmup = protocol.warmup_tokens if protocol.lanes > 1 else 0
        self.starts = np.maximum(self.begins - warmup, 0)
        self.steps = int((self.ends - self.starts).max())
        # Byte position of each lane's next token, moved on with every chunk.
        edges = [0, *self.starts[:, 0]]
        between = [lengths[a:b].sum() for a, b in itertools.pairwise(edges)]
        self.offsets = np.cumsum(between, dtype=np.int64)[:, None]

    def chunk(self, begin: int, end: int) -> _Chunk:
        """Steps [begin, end) of every lane; chunks are asked for in order."""
        positions = self.starts + np.arange(begin, end)
        scored = (positions >= self.begins) & (positions < self.ends)
        positions = np.minimum(positions, len(self.targets) - 1)
        inputs = self.targets[np.maximum(positions - 1, 0)].astype(np.int64)
        inputs[positions == 0] = self.first_input
        lengths = self.lengths[positions]
        last = self.offsets + np.cumsum(lengths, axis=1)
        self.offsets = last[:, -1:]
        # A token that stands for no byte yet (a part of a symbol) counts where the symbol begins.
        first = np.minimum(last - lengths, self.last_byte)
        return _Chunk(
            inputs, self.targets[positions].astype(np.int64), scored, first // BLOCK_BYTES
        )


def _block_sizes(num_bytes: int) -> npt.NDArray[np.int64]:
    sizes = np.full(-(-num_bytes // BLOCK_BYTES), BLOCK_BYTES, dtype=np.int64)
    if num_bytes % BLOCK_BYTES:
        sizes[-1] = num_bytes % BLOCK_BYTES
    return sizes


def _first_input(tokenizer: Tokenizer, span: Span) -> int:
    """The last token of the bytes before the split; a split at the file's start has none."""
    before = tokenizer.encode(span.before(64))
    return int(before[-1]) if len(before) else 0
