"""Whether a score depends on how the text is cut and what is scored beside it.

Method: held-out text, else random tokens, in four rows; code lengths of every token with the state
carried: in pieces of T, in pieces of about T/3, and each row alone. Cost: a pass over some 2,000
tokens, four times. Pass rule: each token's code length differs by rounding, as in model.state, in
units of their standard deviation; the mean alone would hide what a new model hardly shows. A model
of someone's own that has no state is compared row by row only: each of its pieces begins from
nothing by design. Source: seqzoo/scoring/static.py, whose score is to be the same for any chunk.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from seqzoo.doctor.checks.model._passes import (
    amplified_rounding,
    awake,
    carries_a_state,
    length_for,
    nats_of,
    passed_over,
    told,
)
from seqzoo.doctor.evidence.measure import rows_of
from seqzoo.doctor.evidence.network import Network
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Check, Outcome
from seqzoo.plugin.contracts import SequenceModel

__all__ = ["CHECK"]

_ROWS = 4
_PIECES = 8


def examine(subject: Subject) -> Outcome:
    network, length = awake(subject.network), length_for(subject)
    inputs, targets = _text(subject, _PIECES * length)
    scores = {"together": _nats(network, inputs, targets, length)}
    alone = [
        _nats(network, inputs[row : row + 1], targets[row : row + 1], length)
        for row in range(len(inputs))
    ]
    scores["each row alone"] = torch.cat(alone)
    if isinstance(network.module, SequenceModel) or carries_a_state(network):
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
    tolerance = amplified_rounding(network, inputs.split(length, 1))
    others = [how for how, value in worst.items() if value > tolerance]
    if not others:
        return Outcome.passed(
            f"{bits['together']:.4f} bits per token, {', '.join(worst)} too; tokens differ by "
            f"{told(max(worst.values()))}",
            **figures,
        )
    apart = {how: (scores[how] - usual).abs() / math.log(2) for how in others}
    seen = ", ".join(
        f"{bits[how]:.4f} {how} (single tokens differ by up to {float(off.max()):.2g} bits)"
        for how, off in apart.items()
    )
    return Outcome.failed(
        f"{bits['together']:.4f} bits per token in pieces of {length} tokens, {seen}",
        why="The figure that is reported depends on the chunk or the batch that it was computed "
        "with, so it cannot be compared, and sampling runs another model than the scored one.",
        remedy="Carry the state from piece to piece with positions that go on, and let no row, "
        "padding or statistic of the batch enter another row.",
        numbers=figures,
    )


def _text(subject: Subject, length: int) -> tuple[Tensor, Tensor]:
    try:
        held_out = subject.held_out[: _ROWS * length + 1]
        return rows_of(held_out, max(1, min(_ROWS, len(held_out) // 64)))
    except (Missing, ValueError):
        tokens = subject.random_tokens(_ROWS, length + 1)
        return tokens[:, :-1], tokens[:, 1:]


def _nats(network: Network, inputs: Tensor, targets: Tensor, length: int) -> Tensor:
    """(B, T) code lengths, read in pieces of `length`."""
    return nats_of(passed_over(network, inputs.split(length, 1)), targets)


CHECK = Check(
    name="model.evaluation",
    summary="a score depends on neither chunks nor batch",
    examine=examine,
    rank=130,
    explains=("verdict.*",),
)
