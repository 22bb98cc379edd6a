"""Whether the model has a state that can be carried from batch to batch."""

from __future__ import annotations

import torch

from seqzoo.doctor.subject import Subject, or_none

__all__ = ["is_stateless"]


def is_stateless(subject: Subject) -> bool:
    """Whether there is a model and it returns no state; one that cannot be called may have one."""
    network = or_none(lambda: subject.network)
    if network is None:
        return False
    try:
        with torch.no_grad():
            return network.copied()(torch.zeros(2, 2, dtype=torch.int64))[1] is None
    except KeyboardInterrupt:
        raise
    except BaseException:  # a plugin's SystemExit too; model.contract reports it
        return False
