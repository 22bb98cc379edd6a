"""Gates that are stuck at one end.

Method: the gates of nn.LSTM, nn.GRU and nn.RNN are recomputed from their weights over 1,024 tokens
of real text, and nn.Sigmoid is recorded. A value is saturated below 0.02 or above 0.98 (for tanh
outside -0.98 to 0.98), where the slope of a sigmoid is less than a twelfth of its maximum (Karpathy
et al. 2015, arXiv:1506.02078, use a tenth). A unit is stuck if it is at the same end for 99 % of
the tokens; gates that keep the state (an LSTM's forget, a GRU's z) may be stuck at 1, because that
is memory. Cost: the trial and a tenth of a second. Pass rule: less than a fifth of the units of
every gate are stuck (fail: half of them in any gate), and less than 95 % of all values are
saturated; above that almost no gradient passes a step. The quick mode has no trained network, and
looks only for an LSTM's forget gates that are shut from the beginning.
"""

from __future__ import annotations

import torch
from torch import Tensor

from seqzoo.doctor.checks._shared import real_text
from seqzoo.doctor.checks.memory._gates import activations
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_END = 0.02
_ALWAYS = 0.99
_SOME, _MANY = 0.2, 0.5
_NEARLY_ALL = 0.95
_MEMORY = ("forget", "keep")


def examine(subject: Subject) -> Outcome:
    inputs, _ = real_text(subject, 16, 64)
    if subject.quick and not subject.is_trained:
        return _before_training(subject, inputs)
    found = activations(subject.trained_network, inputs)
    if not found:
        return Outcome.skipped("the network has no gates and no recurrent tanh units")
    if inputs.numel() < 100:
        return Outcome.skipped(f"{inputs.numel()} tokens are too few to see what is stuck")
    stuck = {name: share_stuck(name, values) for name, values in found.items()}
    saturated = sum(float(_ends(name, v)[2].mean()) for name, v in found.items()) / len(found)
    worst = max(stuck, key=stuck.__getitem__)
    seen = (
        f"{saturated:.0%} of the activations of gates are saturated, at an end of their range; "
        + (
            "their units jump from one end to the other"
            if stuck[worst] < _SOME and saturated >= _NEARLY_ALL
            else f"of the units of {worst}, {stuck[worst]:.0%} always stay at the same end"
        )
    )
    numbers = {"saturated": saturated, "stuck": stuck[worst]}
    if stuck[worst] < _SOME and saturated < _NEARLY_ALL:
        return Outcome.passed(seen, **numbers)
    if worst.endswith("forget") and stuck[worst] >= _MANY:
        return _shut(seen, numbers)
    return Outcome(
        status="fail" if stuck[worst] >= _MANY else "warn",
        seen=seen,
        why="At an end of its range a gate has almost no slope, so almost no gradient passes: it "
        "hardly learns, and one that always stays there decides nothing.",
        remedy="A learning rate or a weight decay that is far too large does it: lower them, and "
        "warm the rate up. Initialise recurrent matrices orthogonally and embeddings with a "
        "standard deviation of 1.",
        numbers=numbers,
    )


def _before_training(subject: Subject, inputs: Tensor) -> Outcome:
    found = activations(subject.network, inputs)
    stuck = {name: share_stuck(name, each) for name, each in found.items() if "forget" in name}
    if not stuck:
        raise Missing("left out of the quick mode, except for forget gates of an LSTM")
    worst = max(stuck, key=stuck.__getitem__)
    seen = f"{stuck[worst]:.0%} of the units of a forget gate are shut before training ({worst})"
    numbers = {"stuck": stuck[worst]}
    return _shut(seen, numbers) if stuck[worst] >= _MANY else Outcome.passed(seen, **numbers)


def _shut(seen: str, numbers: dict[str, float]) -> Outcome:
    return Outcome.failed(
        seen,
        why="Each step multiplies the cell by almost 0, so it keeps nothing of earlier steps, and "
        "a gate that is shut has almost no gradient with which to open.",
        remedy="Initialise the biases of forget gates with 1 or 0, not with a large negative "
        "number: in nn.LSTM they are bias_ih[H:2*H] and bias_hh[H:2*H], and the two are added.",
        numbers=numbers,
    )


def share_stuck(name: str, values: Tensor) -> float:
    """The share of units of (N, H) values that are at one end in almost all N."""
    low, high, _ = _ends(name, values)
    is_stuck = low.mean(0) >= _ALWAYS
    if not name.endswith(_MEMORY):
        is_stuck |= high.mean(0) >= _ALWAYS
    return float(is_stuck.double().mean())


def _ends(name: str, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where the values are at their lower, their upper, and either end, as 0 and 1."""
    bottom = -1 + _END if name.endswith("tanh") else _END
    low, high = values < bottom, values > 1 - _END
    return low.double(), high.double(), torch.logical_or(low, high).double()
