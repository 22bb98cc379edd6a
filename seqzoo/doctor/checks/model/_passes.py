"""Passes of a network that can be compared: each by a copy of its own, and from one seed.

So whatever a module keeps inside, and dropout that was left on, look the same in both passes, and
only what the check has changed makes a difference.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from seqzoo.doctor.evidence.network import Network
from seqzoo.doctor.subject import Subject
from seqzoo.model import state as states

__all__ = [
    "MODES",
    "amplified_rounding",
    "as_much_as",
    "awake",
    "carries_a_state",
    "changed_places",
    "difference",
    "length_for",
    "listed",
    "nats_of",
    "passed_over",
    "rounding",
    "seeded",
    "spread",
    "told",
]

MODES = {"eval": False, "training": True}


def length_for(subject: Subject) -> int:
    """Tokens for one pass: 64, or what the model can read at once."""
    return subject.network.readable


def awake(network: Network) -> Network:
    """A copy whose parameters that are all zero have small random values.

    A head or a gate that begins at zero hides everything behind it.
    """
    copy = network.copied()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in copy.module.parameters():
            if parameter.is_floating_point() and not parameter.any():
                noise = torch.randn(parameter.shape, generator=generator)
                fan_in = parameter.shape[-1] if parameter.ndim else 1
                parameter.copy_(noise / math.sqrt(fan_in))
    return copy


def passed_over(
    network: Network,
    pieces: Sequence[Tensor],
    *,
    training: bool = False,
    seed: int = 0,
) -> Tensor:
    """(B, T, V) float64 logits of text in pieces (B, t), the state carried from each to the next.

    By a copy of its own, torch's, NumPy's and Python's generators set to `seed` before.
    """
    copy = network.copied()
    copy.module.train(training)
    parts, state = [], None
    with seeded(seed), torch.no_grad():
        for piece in pieces:
            logits, state = copy(piece, state)
            parts.append(logits.detach().cpu().double())
    return torch.cat(parts, dim=1)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Everything that a module may draw from begins at `seed`; NumPy's and Python's go back."""
    states_before = random.getstate(), np.random.get_state()
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(states_before[0])
        np.random.set_state(states_before[1])


def difference(first: Tensor, second: Tensor) -> float:
    """The largest difference of two (B, T, V) logits, in units of how much logits vary with the
    text: the standard deviation of each over (B, T). Rounding grows with the logits' size, so the
    unit is at least a thousandth of that.
    """
    largest = float((first - second).abs().max()) if first.numel() else 0.0
    return math.inf if math.isnan(largest) else largest / spread(second)


def changed_places(first: Tensor, second: Tensor, tolerance: float) -> Tensor:
    """(T,) whether the logits at each time differ by more than the tolerance, as `difference`."""
    largest = (first - second).abs().amax(dim=(0, 2))
    return (largest > tolerance * spread(second)) | largest.isnan()


def spread(logits: Tensor) -> float:
    """How much (B, T, V) logits vary with the text."""
    around = logits - logits.mean(dim=(0, 1))
    return max(float(around.square().mean().sqrt()), 1e-3 * float(logits.abs().max()), 1e-30)


def rounding(network: Network) -> float:
    """The difference that rounding may make: a thousand times the type's precision.

    1e-4 of the spread in float32. Sums of a thousand terms in another order differ by far less;
    what a fault changes is a sizeable share of the spread.
    """
    first = next((p for p in network.module.parameters() if p.is_floating_point()), None)
    dtype = torch.float32 if first is None else first.dtype
    # The narrow types' eps is a hundredth: they are held to a third of the spread.
    return min(1e3 * torch.finfo(dtype).eps, 0.3)


def told(difference: float) -> str:
    """A difference that is rounding, for people: 2e-06, or nothing."""
    return f"{difference:.0e}" if difference else "nothing"


def as_much_as(difference: float) -> str:
    """A difference of logits that is no rounding, for people."""
    return f"{difference:.2g} times as much as they vary from token to token"


def amplified_rounding(network: Network, pieces: Sequence[Tensor]) -> float:
    """`rounding`, or ten times the difference that parameters off in their last place make.

    Sums of pieces of other sizes are rounded otherwise, and a network whose recurrent weights are
    large blows that up from token to token.
    """
    shaken = network.copied()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in shaken.module.parameters():
            if parameter.is_floating_point():
                up = torch.rand(parameter.shape, generator=generator) < 0.5
                off = torch.finfo(parameter.dtype).eps * (2.0 * up - 1.0)
                parameter.mul_((1 + off.double()).to(parameter.device, parameter.dtype))
    made = difference(passed_over(shaken, pieces), passed_over(network, pieces))
    return max(rounding(network), 10 * made)


def nats_of(logits: Tensor, targets: Tensor) -> Tensor:
    """(B, T) float64 code lengths of (B, T) targets."""
    logits = logits.detach().cpu().double()
    return logits.logsumexp(-1) - logits.gather(-1, targets[..., None]).squeeze(-1)


def carries_a_state(network: Network) -> bool:
    """Whether the model gives back a state with anything in it."""
    with torch.no_grad():
        _, state = network.copied()(torch.zeros(2, 2, dtype=torch.int64))
    return any(leaf.numel() for leaf in states.flatten(state).values())


def listed(names: Sequence[str]) -> str:
    """The first three, and how many more."""
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
