"""Streams with one fault each, and helpers that examine them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqzoo.data.corpus import Data, split
from seqzoo.doctor import examine
from seqzoo.doctor.checks import select_checks
from seqzoo.doctor.diagnosis import Diagnosis, diagnose
from seqzoo.doctor.evidence.pipeline import Pipeline
from seqzoo.doctor.evidence.recording import Source
from seqzoo.doctor.evidence.trial import Trainer
from seqzoo.doctor.subject import Subject, Text
from seqzoo.plugin.check import Outcome
from seqzoo.plugin.contracts import Batch, Corpus, Tokenizer
from seqzoo.plugin.registry import Registry

Batches = Iterator[Batch]


MakeBatches = Callable[[np.ndarray], Batches]


B, T = 8, 16


def words(size: int, seed: int = 0) -> bytes:
    """Text that does not repeat itself: words drawn from a hundred."""
    draw = np.random.default_rng(seed)
    letters = list("etaoinshrdlucm")
    known = ["".join(draw.choice(letters, draw.integers(2, 8))) for _ in range(100)]
    return " ".join(draw.choice(known, size // 3)).encode()[:size]


def batch_of(inputs: Tensor, targets: Tensor, restarts: bool | Tensor) -> Batch:
    """A batch; a bool means that all its rows are reset, or none."""
    if isinstance(restarts, bool):
        restarts = torch.full((len(inputs),), restarts)
    return Batch(inputs=inputs, targets=targets, restarts=restarts)


def lanes(
    tokens: np.ndarray,
    *,
    rows: int = B,
    length: int = T,
    ahead: int = 1,
    order: Callable[[int], Sequence[int]] | None = None,
    restarts: Callable[[int], bool] = lambda place: place == 0,
) -> Batches:
    """Contiguous lanes, written naively: for ever, each parameter is a fault.

    order: of the rows of batch k. restarts: given the place in the lanes.
    """
    lane = (len(tokens) - 8) // rows
    k = 0
    while True:
        for place in range(0, lane, length):
            time = min(length, lane - place)
            starts = [4 + row * lane + place for row in (order(k) if order else range(rows))]
            inputs = [[tokens[start + t] for t in range(time)] for start in starts]
            targets = [[tokens[start + t + ahead] for t in range(time)] for start in starts]
            yield batch_of(
                torch.tensor(np.array(inputs, dtype=np.int64)),
                torch.tensor(np.array(targets, dtype=np.int64)),
                restarts(place),
            )
            k += 1


def passages(tokens: np.ndarray, *, rows: int = B, length: int = T, ahead: int = 1) -> Batches:
    """Rows from random places, the state reset for every batch."""
    draw = np.random.default_rng(0)
    while True:
        starts = draw.integers(4, len(tokens) - length - 4, rows)[:, None] + np.arange(length)
        inputs, targets = (
            torch.from_numpy(tokens[starts + by].astype(np.int64)) for by in (0, ahead)
        )
        yield batch_of(inputs, targets, True)


class NumberedPipeline(Pipeline):
    """Batches that a function makes of tokens, on numbered tokens."""

    numbered = True

    def __init__(self, make: MakeBatches, *, num_tokens: int, length: int = T) -> None:
        self.make = make
        self.num_tokens = num_tokens
        self.batch_size, self.bptt_length = B, length

    def source(self) -> Source:
        return self.short_source(self.num_tokens)

    def real_source(self) -> Source:
        return self.source()

    def short_source(self, num_tokens: int) -> Source:
        batches = self.make(np.arange(num_tokens))
        return Source(lambda: next(batches), lambda batch: batch)

    def trainer(self, *_: Any, **__: Any) -> Trainer:
        raise NotImplementedError


def numbered(
    make: MakeBatches, registry: Registry, *, num_tokens: int = 20_000, length: int = T
) -> Subject:
    tokens = np.zeros(num_tokens, dtype=np.uint8)
    return Subject(
        title="numbered",
        registry=registry,
        text=Text(tokens=tokens, held_out=tokens),
        vocab_size=2,
        pipeline=lambda: NumberedPipeline(make, num_tokens=num_tokens, length=length),
    )


def outcome(subject: Subject, name: str) -> Outcome:
    (check,) = select_checks(subject.registry, [name])
    (found,) = diagnose(subject, [check]).examined
    assert not found.crashed, found.outcome.seen
    return found.outcome


def from_code(batches: Any, corpus: bytes | None = None, **further: Any) -> Diagnosis:
    return examine(batches=batches, corpus=corpus, only=["stream"], show=False, **further)


def causes(diagnosis: Diagnosis) -> list[str]:
    assert not any(each.crashed for each in diagnosis.examined)
    return [each.check.name for each in diagnosis.causes]


def status(diagnosis: Diagnosis, name: str) -> str:
    return {each.check.name: each.outcome.status for each in diagnosis.examined}[name]


def plainly(batches: Batches) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """As a user's own generator yields them."""
    for batch in batches:
        yield batch.inputs.numpy(), batch.targets.numpy()


def training_of(text: bytes) -> np.ndarray:
    return np.frombuffer(text, dtype=np.uint8)[: len(text) * 9 // 10]


def onehots(text: bytes, *, fresh: bool) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The question's generator: one character from each of 32 places, one-hot, the places
    advance by one; always the same two arrays, or new ones.
    """
    places = np.random.default_rng(3).integers(len(text), size=32)
    a, b = np.zeros((32, 1, 256)), np.zeros((32, 256))
    while True:
        if fresh:
            a, b = np.zeros((32, 1, 256)), np.zeros((32, 256))
        a[:], b[:] = 0, 0
        for row in range(32):
            a[row, 0, text[places[row]]] = 1
            places[row] = (places[row] + 1) % len(text)
            b[row, text[places[row]]] = 1
        yield a, b


HEALTHY: dict[str, MakeBatches] = {
    "lanes": lanes,
    "lanes of one token": lambda tokens: lanes(tokens, length=1),
    "passages": passages,
    "passages of one token": lambda tokens: passages(tokens, length=1),
    "one lane": lambda tokens: lanes(tokens, rows=1),
}


def rolled(tokens: np.ndarray) -> Batches:
    for batch in lanes(tokens):
        yield batch_of(batch.inputs, batch.inputs.roll(-1, 1), batch.restarts)


CONFUSED: dict[str, tuple[Callable[[Batch], Batch], str]] = {
    "rows rolled up": (
        lambda b: replace(b, targets=b.targets.roll(-1, 0)),
        "those of the row below",
    ),
    "rows rolled down": (
        lambda b: replace(b, targets=b.targets.roll(1, 0)),
        "those of the row above",
    ),
    "inputs rolled up": (
        lambda b: replace(b, targets=b.inputs.roll(-1, 0)),
        "inputs of the row below: rolled along the batch axis",
    ),
    "inputs rolled down": (
        lambda b: replace(b, targets=b.inputs.roll(1, 0)),
        "inputs of the row above: rolled along the batch axis",
    ),
    "time first": (
        lambda b: batch_of(
            b.inputs.T.contiguous(), b.targets.T.contiguous(), bool(b.restarts.all())
        ),
        "is time before batch",
    ),
}


def shuffled(tokens: np.ndarray, **further: Any) -> Batches:
    draw = np.random.default_rng(0)
    return lanes(tokens, order=lambda k: draw.permutation(B).tolist(), **further)


class Stateless(torch.nn.Module):
    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return torch.zeros(*tokens.shape, 256)


class Bytes(Tokenizer):
    """The identity, with at most one fault."""

    vocab_size = 256

    def __init__(self, fault: str = "") -> None:
        self.fault = fault

    def encode(self, data: np.ndarray) -> np.ndarray:
        if self.fault == "ascii alone" and (data > 127).any():
            raise ValueError("ordinal not in range(128)")
        if self.fault == "drops returns":
            kept: np.ndarray = data[data != 13]
            return kept
        return np.where(data == 200, np.uint8(201), data) if self.fault == "mixes up" else data

    def decode(self, tokens: np.ndarray) -> bytes:
        return bytes(tokens)

    def byte_lengths(self, tokens: np.ndarray) -> np.ndarray:
        return np.full(len(tokens), 2 if self.fault == "counts two" else 1)


def with_tokenizer(tokenizer: Tokenizer, registry: Registry) -> Subject:
    corpus = Corpus("words", np.frombuffer(words(20_000), dtype=np.uint8), "made up")
    splits = split(corpus, train=0.9, validation=0.05, test=0.05)
    tokenizer.learn(splits.training.bytes)
    return Subject(
        title="words",
        registry=registry,
        text=Text(data=Data(corpus, "", splits), tokenizer=tokenizer),
    )
