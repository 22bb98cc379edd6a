"""AdamW of torch in its fused form, which updates all parameters of a group in one call."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from seqzoo import NamedParameter, OptimizerContext
from seqzoo_plugins.optimizers.options import AdamOptions

__all__ = ["make_adamw"]


def make_adamw(
    options: AdamOptions, context: OptimizerContext, parameters: Iterable[NamedParameter]
) -> torch.optim.AdamW:
    """AdamW for some of the context's parameters."""
    groups = context.groups(
        learning_rate=options.learning_rate,
        weight_decay=options.weight_decay,
        parameters=parameters,
    )
    return torch.optim.AdamW(groups, betas=options.betas, eps=options.epsilon, fused=True)
