"""Whether scoring leaves the model as it was.

Method: a copy in eval mode reads a text backwards and then twice as it is, each time with an empty
state. After the first pass, parameters, buffers, modes and torch's generator are compared with
those at the end, and the logits of the last two passes with each other, because a module may keep
what it has read in other places. What only the first pass changes is settled then and changes no
score, such as the rows that Embedding(max_norm) scales, or a table that is made when it is first
needed. Cost: three passes. Pass rule: nothing changed, and the logits differ only by rounding.
Fail: parameters, buffers or modes changed, or a recipe's model remembers, which no checkpoint would
store. Warn: a user's own model remembers, which may be intended, or random numbers were drawn.
Source: torch.nn.Module.eval.
"""

from __future__ import annotations

import torch
from torch import nn

from seqzoo.doctor.checks.model._passes import (
    difference,
    in_spreads,
    length_for,
    rounding,
    without_zeros,
)
from seqzoo.doctor.subject import Subject
from seqzoo.plugin.check import Outcome
from seqzoo.plugin.contracts import SequenceModel

__all__ = ["examine"]


def examine(subject: Subject) -> Outcome:
    network = without_zeros(subject.network)
    module = network.module
    tokens = subject.random_tokens(4, length_for(subject))
    module.eval()
    with torch.no_grad():
        network(tokens.flip(1))
    torch.manual_seed(0)
    before, modes, generator = _values(module), _modes(module), torch.get_rng_state()
    with torch.no_grad():
        first = network(tokens)[0].cpu().double()
        drew = not torch.equal(torch.get_rng_state(), generator)
        torch.manual_seed(0)
        second = network(tokens)[0].cpu().double()
    after = _values(module)
    changed = [
        name
        for name in before.keys() | after.keys()
        if name not in before or name not in after or not _equal(before[name], after[name])
    ]
    changed += [f"{name} (mode)" for name, mode in _modes(module).items() if mode != modes[name]]
    memory = difference(second, first)
    remembers = memory > rounding(network)
    figures = {"changed": float(len(changed)), "second_pass": memory, "drew": float(drew)}
    said = []
    if changed:
        said.append(f"reading in eval mode changed {', '.join(sorted(changed)[:3])}")
    if remembers:
        said.append(f"a second pass from an empty state gives other logits, by "
                    f"{in_spreads(memory)}: the module remembers the first")  # fmt: skip
    if drew:
        said.append("random numbers were drawn in eval mode")
    if not said:
        return Outcome.passed(
            f"{len(before)} parameters and buffers did not change, and a second pass agrees",
            **figures,
        )
    is_broken = changed or (remembers and isinstance(module, SequenceModel))
    return (Outcome.failed if is_broken else Outcome.warned)(
        "; ".join(said),
        why="Validation during training then changes the trained model, and a score depends on "
        "what was scored before it.",
        remedy="Change buffers only `if self.training`; take the state as an argument and return "
        "it instead of keeping it in the module, or reset it before and after scoring.",
        numbers=figures,
    )


def _values(module: nn.Module) -> dict[str, torch.Tensor]:
    named = [*module.named_parameters(), *module.named_buffers()]
    return {name: tensor.detach().clone() for name, tensor in named}


def _equal(first: torch.Tensor, second: torch.Tensor) -> bool:
    """Also if they differ in the last place: rows of Embedding(max_norm) are scaled once more."""
    if first.shape != second.shape:
        return False
    if not first.is_floating_point():
        return torch.equal(first, second)
    return torch.allclose(first, second, rtol=1e-6, atol=0.0, equal_nan=True)


def _modes(module: nn.Module) -> dict[str, bool]:
    return {name or "the model": part.training for name, part in module.named_modules()}
