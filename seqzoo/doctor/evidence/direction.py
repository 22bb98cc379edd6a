"""Whether an optimizer goes down the gradient or up."""

from __future__ import annotations

import torch

from seqzoo.doctor.evidence.gradients import dense
from seqzoo.doctor.evidence.trial import Trainer

__all__ = ["goes_up"]

_NEARLY_ALL = 0.9


def goes_up(trainer: Trainer) -> bool:
    """Whether an update moves nine in ten of all weights along their gradient.

    Against it is usual; weight decay moves about half of them along it. Raises what the update
    raises.
    """
    parameters = list(trainer.network.module.parameters())
    before = [parameter.detach().clone() for parameter in parameters]
    trainer.update()
    along = moved = 0
    for parameter, old in zip(parameters, before, strict=True):
        if parameter.grad is None:
            continue
        change = (parameter.detach() - old) * dense(parameter.grad).sign()
        moved += int(torch.count_nonzero(change))
        along += int((change > 0).sum())
    return along > _NEARLY_ALL * max(moved, 1)
