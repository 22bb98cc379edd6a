"""Exact bits per byte of a frozen model on a stretch of a corpus.

What a loss printed in training cannot be: comparable. Every byte of the split is scored once, the
first one too (the byte before the split is its input); the state is carried from the first token
to the last; nats are summed in float64 and divided by the raw bytes of the file, whatever the
tokenizer made of them. A uniform model scores exactly 8.000.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from seqzoo.errors import DivergedError, UsageError
from seqzoo.model import state as states
from seqzoo.model.runtime import Runtime, untouched
from seqzoo.plugin.contracts import SequenceModel, Tokenizer
from seqzoo.plugin.specs import Span
from seqzoo.recipes.load import Recipe
from seqzoo.scoring.chunks import Chunk, Reading
from seqzoo.scoring.nats import nats_of
from seqzoo.scoring.tally import Tally

__all__ = ["Protocol", "add_scores", "one_thread", "recipe_protocol", "require_finite", "score"]


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


def score(
    model: SequenceModel,
    tokenizer: Tokenizer,
    span: Span,
    *,
    runtime: Runtime,
    protocol: Protocol,
    advance: Callable[[int], None] | None = None,
) -> Tally:
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
    reading = Reading(tokenizer, span, lanes=protocol.lanes, warmup_tokens=protocol.warmup_tokens)
    result = Tally(span.bytes)
    alone = one_thread(runtime) if protocol.lanes == 1 else contextlib.nullcontext()
    with untouched(model), alone:
        state = model.initial_state(protocol.lanes)
        for chunk in reading.chunks(protocol.chunk_length):
            inputs = torch.from_numpy(chunk.inputs).to(runtime.device)
            with runtime.autocast():
                logits, state = model(inputs, state)
            state = states.detach(state)
            add_scores(result, logits, chunk)
            if advance is not None:
                advance(int(chunk.scored.sum()))
    require_finite(result, "take an earlier checkpoint, or train with a lower learning rate")
    return result


def add_scores(result: Tally, logits: Tensor, chunk: Chunk) -> None:
    """Add what the (B, T, V) logits of a chunk cost its targets."""
    targets = torch.from_numpy(chunk.targets).to(logits.device)
    if logits.device.type == "mps":  # which knows no float64
        logits, targets = logits.cpu(), targets.cpu()
    logits = logits.double()
    nats = nats_of(logits, targets)
    scored = chunk.scored
    result.add(
        nats.cpu().numpy()[scored],
        (logits.argmax(-1) == targets).cpu().numpy()[scored],
        positions=chunk.positions[scored],
        lengths=chunk.lengths[scored],
        distances=chunk.distances[scored],
    )


def require_finite(result: Tally, remedy: str) -> None:
    """Raises DivergedError where a byte was given no probability, or none that is a number."""
    if not np.isfinite(result.block_nats).all():
        raise DivergedError(
            f"the model gives a byte of the split no probability, or none that is a number; "
            f"{remedy}."
        )


@contextlib.contextmanager
def one_thread(runtime: Runtime) -> Iterator[None]:
    """One thread for one lane: its steps are too small to share, and waiting for a second thread
    at every step was measured 10 to 100 times slower as soon as the cores had other work.
    """
    before = torch.get_num_threads()
    if runtime.device.type == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def recipe_protocol(recipe: Recipe) -> Protocol:
    """How the recipe wants its splits read."""
    section = recipe.evaluate
    return Protocol(
        lanes=section.lanes,
        warmup_tokens=section.warmup_tokens if section.lanes > 1 else 0,
        chunk_length=section.chunk_length,
    )
