"""Whether there is a state that could go from batch to batch."""

from __future__ import annotations

import torch

from seqzoo.doctor.subject import Missing, Subject

__all__ = ["keeps_no_state"]


def keeps_no_state(subject: Subject) -> bool:
    """Whether a model is given that gives no state; one that cannot be asked may keep one."""
    try:
        network = subject.network
    except Missing:
        return False
    try:
        with torch.no_grad():
            return network.copied()(torch.zeros(2, 2, dtype=torch.int64))[1] is None
    except KeyboardInterrupt:
        raise
    except BaseException:  # a plugin's SystemExit too; model.contract tells it
        return False
