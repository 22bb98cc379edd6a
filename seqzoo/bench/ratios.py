"""Ratios of seqzoo to simple forms, from alternating runs in one process.

Absolute times depend on the machine and on other processes. Two loops that alternate have the same
disturbances, so their ratio is reliable.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from seqzoo.bench.loops import CONTEXT, VOCAB_SIZE, OwnTraining, PlainTraining, random_text
from seqzoo.bench.plain_lstm import PlainLSTM, lstm_of_size, number_of_parameters
from seqzoo.model.generate import generate, generate_batch
from seqzoo.model.runtime import Runtime
from seqzoo.plugin.contracts import SequenceModel, Tokenizer
from seqzoo.plugin.span import Span
from seqzoo.plugin.specs import ArchitectureSpec, Options
from seqzoo.recipes.sections import TrainSection
from seqzoo.scoring.static import Protocol, score

__all__ = [
    "Ratio",
    "evaluation_share",
    "plain_lstm",
    "sampling_growth",
    "sampling_ratio",
    "training_ratio",
]


@dataclass(frozen=True)
class Ratio:
    """A ratio and its two medians, in the unit that `meaning` names."""

    meaning: str
    ratio: float
    ours: float
    theirs: float


class _Bytes(Tokenizer):
    """Every byte is a token. It is defined here so that the benchmark needs no plugin."""

    vocab_size = VOCAB_SIZE

    def encode(self, data: Any) -> Any:
        return data

    def decode(self, tokens: Any) -> bytes:
        return bytes(np.asarray(tokens, dtype=np.uint8))

    def byte_lengths(self, tokens: Any) -> Any:
        return np.broadcast_to(np.int64(1), np.shape(tokens))


def training_ratio(
    spec: ArchitectureSpec,
    options: Options,
    section: TrainSection,
    *,
    runtime: Runtime,
    rounds: int = 7,
    updates: int = 12,
    other: PlainLSTM | None = None,
) -> Ratio:
    """Bytes per second of seqzoo's training loop over those of a plain torch loop.

    seqzoo's loop logs, clips and shows progress; the plain one clips. Both use AdamW, carry the
    state and read the same lanes.
    other: what the plain loop trains; None for the simple form of the same network.
    """
    data = random_text(section.batch_size * section.bptt_length_at(0.0) * updates * 2 + 1)
    ours = OwnTraining(spec, options, section, runtime, data)
    plain = PlainTraining(other or _simple_form(spec, options), section, runtime, data)
    plain_seconds, our_seconds = _alternate(
        lambda: plain.run(updates), lambda: ours.run(updates), rounds, runtime.device
    )
    ours.close()
    num_bytes = section.batch_size * section.bptt_length_at(0.0) * updates
    return Ratio(
        f"training, bytes/s, over {_name_of(spec, other)}",
        plain_seconds / our_seconds,
        num_bytes / our_seconds,
        num_bytes / plain_seconds,
    )


def evaluation_share(
    spec: ArchitectureSpec,
    options: Options,
    section: TrainSection,
    *,
    runtime: Runtime,
    corpus_bytes: int = 1_115_394,
) -> Ratio:
    """Time to score the held-out tenth in one lane over the time of one epoch of training.

    Training is measured over a tenth of an epoch and multiplied.
    """
    data = random_text(corpus_bytes)
    held_out = Span(data, int(0.9 * corpus_bytes), corpus_bytes)
    ours = OwnTraining(spec, options, section, runtime, data[: held_out.start])
    length = section.bptt_length_at(0.0)
    updates = max(1, held_out.start // (10 * section.batch_size * length))
    ours.run(2)
    train_seconds = _seconds(lambda: ours.run(updates), runtime.device)
    epoch_seconds = train_seconds * held_out.start / (updates * section.batch_size * length)
    model = ours.training.model
    score_seconds = _seconds(
        lambda: score(model, _Bytes(), held_out, runtime=runtime, protocol=Protocol()),
        runtime.device,
    )
    ours.close()
    return Ratio(
        "scoring the held-out tenth, s, over one epoch of training",
        score_seconds / epoch_seconds,
        score_seconds,
        epoch_seconds,
    )


def sampling_ratio(
    spec: ArchitectureSpec,
    options: Options,
    *,
    runtime: Runtime,
    rounds: int = 9,
    length: int = 400,
    streams: int = 1,
    other: PlainLSTM | None = None,
) -> Ratio:
    """Bytes per second of seqzoo's sampling over those of plain torch; streams: texts at once.

    other: what the plain loop samples from; None for the simple form of the same network.
    """
    device = runtime.device
    model = spec.build(options, CONTEXT).to(device).eval()
    plain = (other or _simple_form(spec, options)).to(device).eval()
    plain_seconds, our_seconds = _alternate(
        lambda: _plain_sampling(plain, length, streams, device),
        lambda: _our_sampling(model, length, streams),
        rounds,
        device,
    )
    return Ratio(
        f"sampling, bytes/s, over {_name_of(spec, other)}"
        + (f", {streams} streams" if streams > 1 else ""),
        plain_seconds / our_seconds,
        streams * length / our_seconds,
        streams * length / plain_seconds,
    )


def sampling_growth(
    spec: ArchitectureSpec,
    options: Options,
    *,
    runtime: Runtime,
    rounds: int = 5,
    length: int = 300,
) -> Ratio:
    """Seconds per byte at the end of a long text over seconds per byte at its beginning."""
    model = spec.build(options, CONTEXT).to(runtime.device).eval()
    late_seconds, early_seconds = [], []
    for _ in range(rounds):
        stream = generate(model, _Bytes(), chain=(), prompt=b"a", num_tokens=8 * length, seed=1)
        marks = [time.perf_counter()]
        for number, _ in enumerate(stream, start=1):
            if number % length == 0:
                marks.append(time.perf_counter())
        # The first part includes filling caches and memory pools; the second is the beginning.
        early_seconds.append((marks[2] - marks[1]) / length)
        late_seconds.append((marks[-1] - marks[-2]) / length)
    late, early = statistics.median(late_seconds), statistics.median(early_seconds)
    return Ratio(
        f"sampling, s/byte, after {7 * length} bytes over after {length} bytes",
        late / early,
        late,
        early,
    )


def _plain_sampling(model: nn.Module, length: int, streams: int, device: torch.device) -> None:
    with torch.no_grad():
        token = torch.full((streams, 1), ord("a"), device=device)
        state: Any = None
        out = [bytearray() for _ in range(streams)]
        for _ in range(length):
            logits, state = model(token, state)
            token = torch.multinomial(torch.softmax(logits[:, -1], dim=-1), 1)
            for text, (byte,) in zip(out, token.tolist(), strict=True):
                text.append(byte)


def _our_sampling(model: SequenceModel, length: int, streams: int) -> None:
    for _ in generate_batch(
        model, _Bytes(), chain=(), prompt=b"a", num_tokens=length, seed=1, count=streams
    ):
        pass


def plain_lstm(spec: ArchitectureSpec, options: Options) -> PlainLSTM:
    """torch's LSTM with as many parameters."""
    torch.manual_seed(0)
    model = spec.build(options, CONTEXT)
    return lstm_of_size(number_of_parameters(model), vocab_size=VOCAB_SIZE)


def _simple_form(spec: ArchitectureSpec, options: Options) -> nn.Module:
    """The form that a plugin declares for comparison, else the model itself."""
    torch.manual_seed(0)
    build = spec.plain_torch or spec.step_by_step or spec.build
    return build(options, CONTEXT)


def _name_of(spec: ArchitectureSpec, other: PlainLSTM | None) -> str:
    if other is not None:
        return "torch's LSTM with as many parameters"
    return "plain torch" if spec.plain_torch or not spec.step_by_step else "its step-by-step form"


def _alternate(
    first: Callable[[], None], second: Callable[[], None], rounds: int, device: torch.device
) -> tuple[float, float]:
    """Median seconds of both, run alternately after one round that is not counted."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        for work, seconds in zip((first, second), times, strict=True):
            taken = _seconds(work, device)
            if number:
                seconds.append(taken)
    return statistics.median(times[0]), statistics.median(times[1])


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)  # until here the work has only been ordered
    return time.perf_counter() - started
