"""Units of the last hidden layer that never vary.

Method: the inputs of the last linear layer that runs, over 2,048 tokens of real text, in a trained
network. A unit is dead if its standard deviation is below a thousandth of the layer's root mean
square: a ReLU that is always 0, a tanh that is always 1, a gate that never opens. Cost: the trial
and a tenth of a second. Pass rule: at most a tenth of the units are dead; they cost time, and their
number only grows, because no gradient reaches them (He et al. 2015, arXiv:1502.01852, on how
initialisation prevents it).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from seqzoo.doctor.checks._shared import advice, real_text, run_over
from seqzoo.doctor.subject import Subject
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_STILL = 1e-3
_MOST = 0.1


def examine(subject: Subject) -> Outcome:
    hidden = last_hidden(subject)
    if hidden is None:
        return Outcome.skipped("the network does not end with nn.Linear")
    if len(hidden) < 32:
        return Outcome.skipped(f"{len(hidden)} tokens are too few to see a unit vary")
    still = hidden.std(dim=0) < _STILL * hidden.square().mean().sqrt()
    zero = (hidden == 0).all(dim=0)
    share = float((still | zero).double().mean())
    seen = (
        f"{int((still | zero).sum())} of {hidden.shape[1]} units of the last hidden layer never "
        f"vary over {len(hidden)} tokens"
    )
    numbers = {"share": share, "always_zero": float(zero.double().mean())}
    if share <= _MOST:
        return Outcome.passed(seen, **numbers)
    return Outcome.warned(
        seen,
        why="Such a unit gives the next layer no information, and no gradient changes that.",
        remedy=advice(
            subject,
            recipe="Lower the learning rate (train.optimizer.learning_rate) or warm it up "
            "(train.schedule.warmup_steps)",
            code="Lower the learning rate or increase it slowly in the first updates",
        )
        + ", initialise with smaller values, or use units without a flat side.",
        numbers=numbers,
    )


def last_hidden(subject: Subject) -> Tensor | None:
    """(N, H) inputs of the last linear layer that runs, None if there is none."""
    given: list[Tensor] = []

    def keep(_: nn.Module, arguments: tuple[Any, ...], __: Tensor) -> None:
        given.append(arguments[0].detach())

    network = subject.trained_network
    linear = [module for module in network.module.modules() if isinstance(module, nn.Linear)]
    inputs, _ = real_text(subject, 32, 64)
    run_over(network, inputs, dict.fromkeys(linear, keep))
    if not given:
        return None
    # A loop over time calls the head once for each token.
    same = [part.flatten(0, -2) for part in given if part.shape == given[-1].shape]
    return torch.cat(same if len(same) == inputs.shape[1] else same[-1:]).cpu().double()
