"""Whether the weights are precise enough for the updates.

Method: four updates as in training; for each parameter of 16 bits the share of values that had a
gradient and stayed as they were in the last update. Cost: four updates. Pass rule: no parameter of
16 bits, or at most half of the values of each matrix stay. Fail: more than half of all values stay;
warn: more than half of one matrix. A bfloat16 has 8 bits, so a change of less than 1/512 of a value
is rounded away, the same in every update. Source: Micikevicius et al. 2018, arXiv:1710.03740,
section 3.1: keep a float32 copy of the weights.
"""

from __future__ import annotations

import torch

from seqzoo.doctor.checks.model._passes import listed
from seqzoo.doctor.evidence.gradients import dense
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.errors import DivergedError
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_UPDATES = 4
_MOST = 0.5


def examine(subject: Subject) -> Outcome:
    network = subject.network.copied()
    narrow = {
        name: parameter
        for name, parameter in network.module.named_parameters()
        if parameter.dtype in (torch.bfloat16, torch.float16) and parameter.requires_grad
    }
    if not narrow:
        return Outcome.passed("the weights have 32 bits or more")
    trainer = subject.pipeline.trainer(network, steps=_UPDATES)
    before: dict[str, torch.Tensor] = {}
    for _ in range(_UPDATES):
        before = {name: parameter.detach().clone() for name, parameter in narrow.items()}
        try:
            trainer.update()
        except (DivergedError, StopIteration) as error:
            raise Missing("four updates could not be made") from error
    counts = {
        name: (int((moving & (parameter == before[name])).sum()), int(moving.sum()))
        for name, parameter in narrow.items()
        if parameter.grad is not None
        for moving in [dense(parameter.grad) != 0]
    }
    total = sum(count for _, count in counts.values())
    if not total:
        raise Missing("no value had a gradient (see model.gradients)")
    share = sum(stayed for stayed, _ in counts.values()) / total
    matrices = [
        name
        for name, (stayed, count) in counts.items()
        if narrow[name].ndim >= 2 and stayed > _MOST * count
    ]
    dtype = str(next(iter(narrow.values())).dtype).removeprefix("torch.")
    seen = f"{share:.0%} of the values with a gradient did not change in an update: their updates "
    seen += f"are smaller than the last place of {dtype}"
    if share <= _MOST and not matrices:
        return Outcome.passed(seen, stayed=share)
    return (Outcome.failed if share > _MOST else Outcome.warned)(
        f"{seen}; most are in {listed(matrices)}" if matrices else seen,
        why="A change of less than half of the last place is rounded away, in every update again: "
        "these weights stay as they were initialised, and the loss stops falling early.",
        remedy="Keep the weights in float32 and compute in 16 bits: leave out .bfloat16() and "
        ".half(), and call the model in torch.autocast(device, dtype=torch.bfloat16).",
        numbers={"stayed": share},
    )
