"""Gates that are stuck at one end.

Method: the gates of nn.LSTM, nn.GRU and nn.RNN recomputed from their weights over 1,024 tokens of
real text, and nn.Sigmoid as it runs. A value is saturated below 0.02 or above 0.98 (a tanh unit
beyond 0.98), where a sigmoid's slope is under a twelfth of its largest (Karpathy et al. 2015,
arXiv:1506.02078, look at the same for a tenth). A unit is stuck that is at the same end for 99 % of
the tokens; gates that keep (an LSTM's forget, a GRU's z) may be stuck at 1, for that is memory.
Cost: a tenth of a second beside the trial. Pass rule: under a fifth of the units of every gate are
stuck (half of them, in any: fail), and under 95 % of all values are saturated, beyond which next to
no step lets a gradient through, whatever side its gates are on.
"""

from __future__ import annotations

import torch
from torch import Tensor

from seqzoo.doctor.checks._shared import real_text
from seqzoo.doctor.checks.memory._gates import activations
from seqzoo.doctor.subject import Subject
from seqzoo.plugin.check import Check, Outcome

__all__ = ["CHECK"]

_END = 0.02
_ALWAYS = 0.99
_SOME, _MANY = 0.2, 0.5
_NEARLY_ALL = 0.95
_MEMORY = ("forget", "keep")


def examine(subject: Subject) -> Outcome:
    inputs, _ = real_text(subject, 16, 64)
    found = activations(subject.learnt, inputs)
    if not found:
        return Outcome.skipped("the network has no gates and no recurrent tanh units")
    if inputs.numel() < 100:
        return Outcome.skipped(f"{inputs.numel()} tokens are too few to tell what is stuck")
    stuck = {name: share_stuck(name, values) for name, values in found.items()}
    saturated = sum(float(_ends(name, v)[2].mean()) for name, v in found.items()) / len(found)
    worst = max(stuck, key=stuck.__getitem__)
    seen = (
        f"{saturated:.0%} of the activations are saturated; of a gate's units at most "
        f"{stuck[worst]:.0%} are stuck at one end ({worst})"
    )
    numbers = {"saturated": saturated, "stuck": stuck[worst]}
    if stuck[worst] < _SOME and saturated < _NEARLY_ALL:
        return Outcome.passed(seen, **numbers)
    return Outcome(
        status="fail" if stuck[worst] >= _MANY else "warn",
        seen=seen,
        why="A gate at its end has next to no slope, so hardly a gradient gets through it: one "
        "that is always there decides nothing and stays so.",
        remedy="Lower the learning rate or warm it up; initialise recurrent matrices orthogonally "
        "and embeddings at a scale of 1.",
        numbers=numbers,
    )


def share_stuck(name: str, values: Tensor) -> float:
    """Of the units of (N, H) values, those that are at one end in nearly all N."""
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


CHECK = Check(
    name="memory.saturation",
    summary="gates are not stuck at one end",
    examine=examine,
    rank=40,
    is_quick=False,
    explains=("optimisation.dead_units", "verdict.*"),
    source="Karpathy et al. 2015, arXiv:1506.02078",
)
