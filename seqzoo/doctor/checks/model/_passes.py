"""Forward passes that can be compared: each with a new copy of the network, and with one seed.

State that a module keeps inside and dropout that was left on are then the same in both passes, and
only what the check changed makes a difference.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seqzoo.doctor.evidence.network import Network, runs_hooks, tensors_in
from seqzoo.doctor.subject import Subject
from seqzoo.model import state as states

__all__ = [
    "MODES",
    "amplified_rounding",
    "carries_a_state",
    "changed_places",
    "difference",
    "in_double",
    "in_spreads",
    "length_for",
    "listed",
    "logits_of",
    "pass_over",
    "rounding",
    "seeded",
    "shown",
    "spread",
    "without_zeros",
]

_WIDTH = 4096

MODES = {"eval": False, "training": True}


def length_for(subject: Subject) -> int:
    """Tokens for one pass: 64, or as many as the model can read at once."""
    return subject.network.readable


def without_zeros(network: Network) -> Network:
    """A copy in which parameters that are all zero have small random values.

    A head or a gate that is initialised to zero hides everything behind it.
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


def in_double(network: Network) -> Network:
    """A copy in float64, in which rounding hides nothing; as it was if it cannot read in that."""
    doubled = network.copied()
    try:
        doubled.module.double()
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            logits, _ = doubled.copied()(torch.zeros(2, 2, dtype=torch.int64))
    except Exception:  # a tensor of another type is made inside
        return network
    return doubled if logits.dtype == torch.float64 else network


def logits_of(
    network: Network,
    pieces: Sequence[Tensor],
    *,
    training: bool = False,
    seed: int = 0,
    whole: bool = False,
) -> Tensor:
    """(B, T, V) float64 logits of text in pieces (B, t), with the state carried between them.

    A new copy of the network reads; torch's, NumPy's and Python's generators start from `seed`.
    Of a large vocabulary, unless whole, they are sums of a few logits each: what changes any logit
    changes one of them.
    """
    parts = pass_over(network, pieces, training=training, seed=seed)
    return torch.cat([(part if whole else _folded(part)).double() for part in parts], dim=1)


def pass_over(
    network: Network, pieces: Sequence[Tensor], *, training: bool = False, seed: int = 0
) -> Iterator[Tensor]:
    """The logits of each piece, as `logits_of` reads them, one at a time."""
    copy = network.copied()
    copy.module.train(training)
    state = None
    with seeded(seed), torch.no_grad():
        for piece in pieces:
            logits, state = copy(piece, state)
            yield logits.detach().cpu()


def _folded(logits: Tensor) -> Tensor:
    """(B, T, V) as it is, or (B, T, 4096) sums."""
    V = logits.shape[-1]
    if V <= 2 * _WIDTH:
        return logits
    together = -(-V // _WIDTH)
    padded = torch.nn.functional.pad(logits, (0, together * _WIDTH - V))
    return padded.reshape(*logits.shape[:-1], together, _WIDTH).sum(-2)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """All generators start from `seed`; those of NumPy and Python are restored afterwards."""
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
    """The largest difference between two (B, T, V) logits, in units of `spread`: how much logits
    vary with the text. Rounding grows with the size of the logits, so a unit is at least a
    thousandth of that.
    """
    largest = float((first - second).abs().max()) if first.numel() else 0.0
    return math.inf if math.isnan(largest) else largest / spread(second)


def changed_places(first: Tensor, second: Tensor, tolerance: float) -> Tensor:
    """(T,) whether the logits at each time differ by more than the tolerance, see `difference`."""
    largest = (first - second).abs().amax(dim=(0, 2))
    return (largest > tolerance * spread(second)) | largest.isnan()


def spread(logits: Tensor) -> float:
    """How much (B, T, V) logits vary with the text: the standard deviation over (B, T)."""
    around = logits - logits.mean(dim=(0, 1))
    return max(float(around.square().mean().sqrt()), 1e-3 * float(logits.abs().max()), 1e-30)


def rounding(network: Network) -> float:
    """The difference that rounding can make: a thousand times the type's precision.

    It is 1e-4 of the spread in float32. Sums of a thousand terms in another order differ by far
    less; a fault changes a considerable share of the spread.
    """
    weights = frozenset(p.dtype for p in network.module.parameters() if p.is_floating_point())
    if weights not in network.computed_types:
        network.computed_types[weights] = _computed_types(network)
    types = weights | network.computed_types[weights]
    coarsest = max(
        (torch.finfo(each).eps for each in types), default=torch.finfo(torch.float32).eps
    )
    # The eps of 16-bit types is a hundredth: for them the limit is a third of the spread.
    return min(1e3 * coarsest, 0.3)


def _computed_types(network: Network) -> set[torch.dtype]:
    """The floating-point types of what the layers return: narrower than the weights in autocast."""
    copy = network.copied()
    copy.module.eval()
    found: set[torch.dtype] = set()

    def note(_: nn.Module, __: Any, output: Any) -> None:
        first = next(tensors_in(output), None)
        if first is not None and first.is_floating_point():
            found.add(first.dtype)

    for module in filter(runs_hooks, copy.module.modules()):
        module.register_forward_hook(note)
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            copy(torch.zeros(2, min(2, network.readable), dtype=torch.int64))
    except Exception:  # model.contract reports it
        return set()
    return found


def shown(difference: float) -> str:
    """A difference that is only rounding, in words: 2e-06, or nothing."""
    return f"{difference:.0e}" if difference else "nothing"


def in_spreads(difference: float) -> str:
    """A difference of logits that is more than rounding, in words."""
    return f"{difference:.2g} times as much as they vary from token to token"


def amplified_rounding(network: Network, pieces: Sequence[Tensor]) -> float:
    """`rounding`, or ten times the difference after changing parameters in their last place.

    Sums over pieces of other sizes are rounded differently, and a network with large recurrent
    weights amplifies that from token to token.
    """
    shaken = network.copied()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in shaken.module.parameters():
            if parameter.is_floating_point():
                up = torch.rand(parameter.shape, generator=generator) < 0.5
                off = torch.finfo(parameter.dtype).eps * (2.0 * up - 1.0)
                parameter.mul_((1 + off.double()).to(parameter.device, parameter.dtype))
    made = difference(logits_of(shaken, pieces), logits_of(network, pieces))
    return max(rounding(network), 10 * made)


def carries_a_state(network: Network) -> bool:
    """Whether the model returns a state that is not empty."""
    with torch.no_grad():
        _, state = network.copied()(torch.zeros(2, 2, dtype=torch.int64))
    return any(leaf.numel() for leaf in states.flatten(state).values())


def listed(names: Sequence[str]) -> str:
    """The first three, and how many more."""
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
