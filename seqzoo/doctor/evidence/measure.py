"""Bits per token of a network on held-out tokens, measured quickly, to compare within a report.

This is not a score: the text is a sample, and it is read in rows side by side. For scores see
seqzoo/scoring/static.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seqzoo.doctor.evidence.network import Network
from seqzoo.model import state as states
from seqzoo.model.runtime import in_inference_mode
from seqzoo.scoring.nats import nats_of

__all__ = ["Measured", "measure", "measure_swapped", "rows_of"]

_TOKENS_PER_PASS = 4096


@dataclass(frozen=True)
class Measured:
    """Means over the tokens that were scored."""

    bits_per_token: float
    accuracy: float


def rows_of(tokens: npt.NDArray[Any], rows: int) -> tuple[Tensor, Tensor]:
    """Inputs and targets (rows, T), each row a stretch of the text; the rest is left out."""
    length = (len(tokens) - 1) // rows
    if length < 1:
        raise ValueError(f"{len(tokens)} tokens do not fill {rows} rows")
    starts = np.arange(rows)[:, None] * length
    block = torch.from_numpy(tokens[starts + np.arange(length + 1)].astype(np.int64))
    return block[:, :-1], block[:, 1:]


def measure(
    network: Network,
    tokens: npt.NDArray[Any],
    *,
    rows: int = 16,
    reset_every: int | None = None,
) -> Measured:
    """Read (N,) tokens in `rows` rows, in eval mode, the state carried from the first to the last.

    reset_every: start from an empty state again after that many tokens.
    No more is read at once than the network can read; one without a state starts again there.
    """
    network = network.copied()  # it may keep a state in itself
    rows = max(1, min(rows, len(tokens) // 64))
    inputs, targets = rows_of(tokens, rows)
    if reset_every is not None:
        usable = inputs.shape[1] // reset_every * reset_every
        inputs = inputs[:, :usable].reshape(-1, reset_every)
        targets = targets[:, :usable].reshape(-1, reset_every)
    slab = rows if reset_every is None else max(1, _TOKENS_PER_PASS // reset_every)
    length = max(1, min(_TOKENS_PER_PASS // slab, network.longest or _TOKENS_PER_PASS))
    nats, hits = 0.0, 0
    with in_inference_mode(network.module):
        for part, wanted in zip(torch.split(inputs, slab), torch.split(targets, slab), strict=True):
            state = None
            for now, next_ones in zip(
                torch.split(part, length, 1), torch.split(wanted, length, 1), strict=True
            ):
                logits, state = network(now, state)
                state = None if state is None else states.detach(state)
                part_nats, part_hits = _sums(logits, next_ones)
                nats, hits = nats + part_nats, hits + part_hits
    count = targets.numel()
    return Measured(nats / math.log(2) / count, hits / count)


def measure_swapped(
    network: Network, tokens: npt.NDArray[Any], *, rows: int = 32, length: int = 128
) -> tuple[Measured, Measured]:
    """Every token predicted twice: from its own state, and from the state of another passage.

    The difference is what the context before the current token is worth. An empty state would
    cost more than that, if the network never saw one in training.
    No more tokens in a row than the network can read at once, and as many in all if there are.
    Raises ValueError if the network has no state.
    """
    network = network.copied()
    longest = max(2, min(length, network.longest or length))
    rows, length = rows * length // longest, longest
    rows = max(2, min(rows, len(tokens) // 32))
    inputs, targets = rows_of(tokens, rows)
    inputs, targets = inputs[:, :length], targets[:, :length]
    others = torch.arange(rows).roll(1)
    state = None
    sums: list[list[float]] = [[0.0, 0], [0.0, 0]]
    with in_inference_mode(network.module):
        for time in range(inputs.shape[1]):
            now, wanted = inputs[:, time : time + 1], targets[:, time : time + 1]
            own_logits, next_state = network(now, state)
            if next_state is None:
                raise ValueError("the network keeps no state")
            if state is not None:
                other_logits, _ = network(now, network.select_rows(state, others))
                for total, logits in zip(sums, (own_logits, other_logits), strict=True):
                    nats, hits = _sums(logits, wanted)
                    total[0], total[1] = total[0] + nats, total[1] + hits
            state = next_state
    count = rows * (inputs.shape[1] - 1)
    own, swapped = (Measured(nats / math.log(2) / count, hits / count) for nats, hits in sums)
    return own, swapped


def _sums(logits: Tensor, targets: Tensor) -> tuple[float, int]:
    logits = logits.cpu().double()
    return float(nats_of(logits, targets).sum()), int((logits.argmax(-1) == targets).sum())
