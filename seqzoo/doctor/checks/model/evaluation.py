"""Whether a score depends on how the text is cut and on the other rows.

Method: held-out text, or random tokens, in four rows; code lengths of every token with the state
carried: in pieces of T, in pieces of about T/3, and each row alone. Cost: four passes over about
2,000 tokens. Pass rule: each token's code length differs only by rounding, as in model.state, in
units of their standard deviation; the mean would hide small differences of a new model. A user's
own model without a state is compared only row by row: each of its pieces starts without context by
design. Source: seqzoo/scoring/static.py, whose score must be the same for any chunk.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from seqzoo.doctor.checks.model._passes import (
    amplified_rounding,
    carries_a_state,
    length_for,
    pass_over,
    shown,
    without_zeros,
)
from seqzoo.doctor.evidence.measure import rows_of
from seqzoo.doctor.evidence.network import Network
from seqzoo.doctor.subject import Subject, or_none
from seqzoo.plugin.check import Outcome
from seqzoo.plugin.contracts import SequenceModel
from seqzoo.scoring.nats import nats_of

__all__ = ["examine"]

_ROWS = 4
_PIECES = 8
_LEAST_PIECES = 2
_VALUES = 1 << 24


def examine(subject: Subject) -> Outcome:
    network, length = without_zeros(subject.network), length_for(subject)
    pieces = _VALUES // (_ROWS * length * subject.vocab_size)
    inputs, targets = _text(subject, min(max(pieces, _LEAST_PIECES), _PIECES) * length)
    scores = {"together": _nats(network, inputs, targets, length)}
    alone = [
        _nats(network, inputs[row : row + 1], targets[row : row + 1], length)
        for row in range(len(inputs))
    ]
    scores["each row alone"] = torch.cat(alone)
    is_cut = network.only_length is None
    if isinstance(network.module, SequenceModel) or (is_cut and carries_a_state(network)):
        scores["in shorter pieces"] = _nats(network, inputs, targets, length // 3 + 1)
    bits = {how: float(nats.mean()) / math.log(2) for how, nats in scores.items()}
    usual = scores["together"]
    unit = max(float(usual.std()), 1e-3 * float(usual.abs().max()), 1e-30)
    worst = {
        how: float((nats - usual).abs().nan_to_num(nan=math.inf).max()) / unit
        for how, nats in scores.items()
        if how != "together"
    }
    figures = {f"bits_{how.replace(' ', '_')}": value for how, value in bits.items()}
    figures |= {f"difference_{how.replace(' ', '_')}": value for how, value in worst.items()}
    tolerance = amplified_rounding(network, torch.split(inputs, length, 1))
    others = [how for how, value in worst.items() if value > tolerance]
    if not others:
        return Outcome.passed(
            f"{bits['together']:.4f} bits per token, also {', '.join(worst)}; tokens differ by "
            f"{shown(max(worst.values()))}",
            **figures,
        )
    apart = {how: (scores[how] - usual).abs() / math.log(2) for how in others}
    seen = ", ".join(
        f"{bits[how]:.4f} {how} (single tokens differ by up to {float(off.max()):.2g} bits)"
        for how, off in apart.items()
    )
    return Outcome.failed(
        f"{bits['together']:.4f} bits per token in pieces of {length} tokens, {seen}",
        why="The score depends on the chunk length or the batch, so it cannot be compared, and "
        "sampling runs a different model from the scored one.",
        remedy="Carry the state from piece to piece, with positions that continue, and let no row, "
        "padding or statistic of the batch change another row.",
        numbers=figures,
    )


def _text(subject: Subject, length: int) -> tuple[Tensor, Tensor]:
    held_out = or_none(lambda: subject.held_out)
    if held_out is None or len(held_out) < 2:
        tokens = subject.random_tokens(_ROWS, length + 1)
        return tokens[:, :-1], tokens[:, 1:]
    held_out = held_out[: _ROWS * length + 1]
    return rows_of(held_out, max(1, min(_ROWS, len(held_out) // 64)))


def _nats(network: Network, inputs: Tensor, targets: Tensor, length: int) -> Tensor:
    """(B, T) code lengths, read in pieces of `length`."""
    parts = pass_over(network, torch.split(inputs, length, 1))
    pairs = zip(parts, torch.split(targets, length, 1), strict=True)
    return torch.cat([nats_of(logits, wanted) for logits, wanted in pairs], dim=1)
