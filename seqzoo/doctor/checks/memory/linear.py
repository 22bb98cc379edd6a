"""Whether there is anything nonlinear between the tokens before and the logits.

Method: from two states that were reached by reading other text, and from the state half way between
them, the same token is read; if both the next state and the logits half way are the mean of the
others, they are affine functions of the state. Then another token is read, to see whether it
changes how the state is transformed. Cost: six passes. Pass rule: something of this is not affine,
or the token changes the transformation (gates, as in Mamba, minGRU or linear attention). An affine
map that is the same for all tokens, with affine logits, is a linear filter: all its layers together
are worth one. Source: Martin and Cundy 2018, arXiv:1709.04057, on linear recurrences, which need
nonlinear layers around them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from seqzoo.doctor.checks.model._passes import in_double, length_for, seeded, without_zeros
from seqzoo.doctor.evidence.network import Network
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.model import state as states
from seqzoo.plugin.check import Outcome
from seqzoo.plugin.contracts import State

__all__ = ["examine"]

_ROUNDING = {torch.float64: 1e-9, torch.float32: 1e-4}


def examine(subject: Subject) -> Outcome:
    network = in_double(without_zeros(subject.network))
    network.module.eval()
    text = subject.random_tokens(4, length_for(subject))
    token, other = text[:2, :1], text[2:, :1]
    if bool((token == other).all()):
        raise Missing("the text has only one token")
    with seeded(0), torch.no_grad():
        _, one = network.copied()(text[:2])
        _, two = network.copied()(text[2:])
        leaves = states.flatten(one)
        if not leaves or not all(leaf.is_floating_point() for leaf in leaves.values()):
            raise Missing("the model has no state of floating-point numbers")
        if {k: v.shape for k, v in leaves.items()} != {
            k: v.shape for k, v in states.flatten(two).items()
        }:
            raise Missing("the states have different shapes")
        bent = _bend(network, token, one, two)
        if bent is None:
            raise Missing("the state changes nothing (see memory.horizon)")
        changes = _transformation_changes(network, token, other, one, two)
    figures = {"bend": bent, "change_by_token": changes}
    dtype = next(iter(leaves.values())).dtype
    limit = _ROUNDING.get(dtype, 1e-2)
    if bent > limit:
        return Outcome.passed(
            f"half way between two states the outputs are off the mean by {bent:.2g}", **figures
        )
    if changes > limit:
        return Outcome.passed(
            "the next state is affine in the state, and the tokens change how", **figures
        )
    return Outcome.warned(
        "the next state and the logits are affine in the state, the same for every token: there "
        "is nothing nonlinear between a token and later logits",
        why="Any number of such layers is worth one, and every earlier token adds a fixed amount "
        "to each logit: the model cannot combine two tokens.",
        remedy="Apply tanh or another nonlinear function in the recurrence, h = tanh(W x + U h), "
        "or to what leaves it (an MLP, a gate), before the head.",
        numbers=figures,
    )


def _bend(network: Network, token: Tensor, one: State, two: State) -> float | None:
    """How far the outputs from the middle of two states are from the mean of theirs, relative to
    half of their difference; None if they are equal.
    """
    middle = _mean(one, two)
    first, second, between = (_outputs(network, token, state) for state in (one, two, middle))
    size = float((first - second).norm()) / 2
    return float((between - (first + second) / 2).norm()) / size if size else None


def _transformation_changes(
    network: Network, token: Tensor, other: Tensor, one: State, two: State
) -> float:
    """How much another token changes the effect of another state, relative to that effect."""
    effect = _outputs(network, token, one) - _outputs(network, token, two)
    of_other = _outputs(network, other, one) - _outputs(network, other, two)
    return float((effect - of_other).norm() / effect.norm().clamp_min(1e-30))


def _outputs(network: Network, token: Tensor, state: State) -> Tensor:
    logits, after = network.copied()(token, states.map_tensors(torch.clone, state))
    parts = [logits, *states.flatten(after).values()]
    return torch.cat([part.double().flatten() for part in parts])


def _mean(one: State, two: State) -> State:
    others = iter(states.flatten(two).values())
    return states.map_tensors(lambda leaf: (leaf + next(others)) / 2, one)
