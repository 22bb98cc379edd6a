"""How many tokens back the gradient reaches: in the network, and in truncated training.

Method: on real text, the norm of the gradient of the loss at t with respect to the embedded input
at t - k (Pascanu et al. 2013, arXiv:1211.5063), k up to 63, without dropout; and how much another
token at t - k changes the logits at t. Truncated backpropagation cuts the gradient after every
bptt_length tokens, so it crosses at most bptt_length - 1 steps. Cost: a quarter of a second. Pass
rule: it crosses 6 bytes: an English word and its space, and what the highest n-gram rung sees
without any training. Also reported: logits that all earlier tokens together do not change by a
thousandth of what the current token does, not even after 20 updates as in training (a gate or a
scale that begins at 0 opens in these); and a gradient that ends within the network although logits
do change. If the current token changes no logits either, memory is not the fault.
"""

from __future__ import annotations

import torch

from seqzoo.doctor.checks._shared import advice, real_text
from seqzoo.doctor.checks.memory._reach import earlier_influence, gradient_norms, influences
from seqzoo.doctor.checks.memory._tuned import TUNED
from seqzoo.doctor.evidence.network import Network
from seqzoo.doctor.subject import Missing, Subject, or_none
from seqzoo.errors import DivergedError
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_ENOUGH_BYTES = 6
_FAINT = 0.01
_ALMOST_NONE = 1e-3
_UPDATES = 20
_DISTANCES = (1, 2, 4, 8, 16, 32, 63)
# Settings for one update per token do not fit one update per 64: those of a shipped recipe do.
_CHANGES = (*TUNED, "train.budget={seconds: 150}")


def examine(subject: Subject) -> Outcome:
    network = subject.network
    inputs, targets = real_text(subject, 8, 64)
    if inputs.shape[1] < 2 or len(torch.unique(inputs)) < 2:
        length = min(64, network.longest or 64)
        inputs, targets = subject.random_tokens(8, length), subject.random_tokens(8, length)
    distances = [k for k in _DISTANCES if k < inputs.shape[1]]
    current, *changes = influences(network, inputs, [0, *distances])
    if max(changes) == 0 and current == 0:
        return Outcome.skipped("the logits do not depend on the tokens (see model.contract)")
    if max(changes) == 0 or earlier_influence(network, inputs) < _ALMOST_NONE * current:
        network = _after_updates(subject)
        current, *changes = influences(network, inputs, [0, *distances])
        if max(changes) == 0:
            return _memoryless(max(distances))
        share = earlier_influence(network, inputs) / max(current, 1e-30)
        if share < _ALMOST_NONE:
            return _almost_memoryless(share)
    norms = gradient_norms(network, inputs, targets)
    if norms is not None and max(norms[1:]) == 0:
        return _cut_inside(changes[0])
    reach = _reach(norms, distances, changes)
    pipeline = or_none(lambda: subject.pipeline)
    if pipeline is None:
        return Outcome.passed(f"{reach}; no batches were given, so no cut is known")
    allowed = pipeline.bptt_length - 1
    numbers = {
        "allowed": float(allowed),
        **{f"gradient_{k}": norms[k] for k in (0, *distances) if norms is not None},
        **{f"influence_{k}": change for k, change in zip(distances, changes, strict=True)},
    }
    seen = f"training cuts the gradient so that it crosses {allowed} steps; {reach}"
    if allowed * subject.bytes_per_token >= _ENOUGH_BYTES:
        return Outcome.passed(seen, **numbers)
    return Outcome(
        status="warn" if allowed else "fail",
        seen=seen,
        why="A network learns what to remember only from gradients that cross steps. "
        + (
            "Here each ends before a word does, so the network does not learn to remember more."
            if allowed
            else "Here no gradient crosses a step: the state has random features, and the network "
            "does not learn to remember anything."
        ),
        remedy=advice(
            subject,
            recipe="Train on longer stretches (train.bptt_length=64), with settings for fewer and "
            "larger updates.",
            code="Train on longer stretches: batches (B, 64) and one backward pass for all 64 "
            "steps, with a learning rate for fewer and larger updates.",
        ),
        changes=_CHANGES if subject.has("recipe") else (),
        numbers=numbers,
        read_more="docs/answer.md",
    )


def _reach(norms: list[float] | None, distances: list[int], changes: list[float]) -> str:
    if norms is None:
        far = [k for k, change in zip(distances, changes, strict=True) if change > 1e-4]
        return f"a token changes the logits {max(far, default=0)} steps later"
    far = [k for k, norm in enumerate(norms) if norm > _FAINT * norms[0]]
    if far[-1] == len(norms) - 1:
        return f"within the network it reaches {far[-1]} and more"
    return f"within the network it falls to a hundredth after {far[-1]}"


def _memoryless(distance: int) -> Outcome:
    return Outcome.warned(
        f"other tokens up to {distance} steps earlier do not change a bit of the logits",
        why="The network reads only the current token; it cannot be better than a table of pairs.",
        remedy="Pass the state from step to step inside forward (h = cell(x, h), not cell(x)), and "
        "use the outputs of the recurrent layers. Ignore this if the model should have no memory.",
        numbers={"influence_1": 0.0},
    )


def _after_updates(subject: Subject) -> Network:
    """A copy after a few updates as in training, or after none if none can be made."""
    network = subject.network.copied()
    pipeline = or_none(lambda: subject.pipeline)
    if pipeline is None:
        return network
    try:
        trainer = pipeline.trainer(network, steps=_UPDATES)
        for _ in range(_UPDATES):
            trainer.update()
    except (Missing, DivergedError, StopIteration):
        return network
    return network


def _almost_memoryless(share: float) -> Outcome:
    return Outcome.warned(
        f"all earlier tokens together change the logits by {share:.2g} times as much as the "
        f"current token, also after {_UPDATES} updates",
        why="Almost nothing is remembered: recurrent weights that are too small, or a gate that is "
        "almost shut, make the state a function of the current token.",
        remedy="Initialise recurrent weights orthogonally, torch.nn.init.orthogonal_(weight_hh), "
        "or leave torch's own initialisation; look for a small factor in front of the state.",
        numbers={"earlier": share},
    )


def _cut_inside(change: float) -> Outcome:
    return Outcome.failed(
        f"the token before changes the logits ({change:.1%}), but no gradient reaches it: it is "
        f"cut within the network",
        why="The state is carried, but the network does not learn what to keep in it.",
        remedy="Look for .detach(), .data, no_grad() or a new tensor made of numbers in the loop "
        "over time, and detach only between batches.",
        numbers={"influence_1": change},
    )
