"""Numbers that are not finite must not reach a checkpoint, where they would replace good ones."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from seqzoo.errors import DivergedError

__all__ = ["require_finite"]


def require_finite(
    weights: Mapping[str, Tensor], moments: Mapping[str, Tensor], *, step: int
) -> None:
    """Raises DivergedError, which names the first, if a weight or a moment is not finite.

    weights: the parameters of a model. Not its buffers: a mask may be made of minus infinity.
    """
    named = {f"the weights {name}": value for name, value in weights.items()}
    named |= {f"the optimizer's {name}": value for name, value in moments.items()}
    for name, value in named.items():
        if not torch.isfinite(value).all():
            wrong = int((~torch.isfinite(value)).sum())
            raise DivergedError(
                f"{name} stopped being finite before step {step} was saved ({wrong:,} of "
                f"{value.numel():,} values are NaN or infinite); nothing of this step is saved, "
                f"and the earlier checkpoints are as they were. Lower "
                f"train.optimizer.learning_rate, set train.clip_norm, or lengthen "
                f"train.schedule.warmup_steps."
            )
